// Seals a field and opens it again. Build it with strongroom.h and the archive beside it:
//   cc -I.. example.c ../libstrongroom_linux_amd64.a -lpthread -ldl -lm -o example
//
// The KMS's answer is a recorded one, so the example runs anywhere. A program of yours sends the
// request of step 2 to its KMS client and hands on what comes back.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strongroom.h"

#define CMK "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e"

// What the store holds for the org: a wrapped DEK, and which DEK is active.
static const char wrap_row[] =
    "{\"v\":1,\"purpose\":\"org-dek\",\"owner\":\"acme\",\"reader\":\"acme\",\"version\":1,\"created\":1761955200,"
    "\"dekRef\":\"ohbHXxXAiEhh3DHPtUEjdqvStJNbVnzsQ03KlkpX-eI\",\"provider\":\"aws-kms\",\"keyId\":\"" CMK "\","
    "\"blob\":\"dFQ5TUhHOuoECxP4d+KfObU5pcNqavhTr4L0JH7oYrgZNNGegxiCkA==\"}";
static const char active_row[] =
    "{\"org\":\"acme\",\"dekRef\":\"ohbHXxXAiEhh3DHPtUEjdqvStJNbVnzsQ03KlkpX-eI\",\"version\":1,"
    "\"state\":\"active\",\"rev\":1}";

// The plaintext DEK of the recorded answer.
static uint8_t answered_dek[STRONGROOM_DEK_LEN] = {
    0x92, 0x0f, 0xb2, 0xb2, 0xdd, 0xde, 0x68, 0x7e, 0xfa, 0x7b, 0xe7, 0xd6, 0xaf, 0xcb, 0xdc, 0xcf,
    0x7a, 0xbe, 0x6c, 0xfe, 0xd6, 0x65, 0xa8, 0x33, 0xd0, 0x75, 0xf6, 0xa3, 0xe0, 0x24, 0x54, 0x90,
};

static strongroom_bytes bytes(const char *text) { return (strongroom_bytes){(const uint8_t *)text, strlen(text)}; }

static void must(strongroom_status status, const char *step) {
  if (status != STRONGROOM_OK) {
    fprintf(stderr, "%s: %s (%s)\n", step, strongroom_error_text(status), strongroom_error_name(status));
    exit(1);
  }
}

int main(void) {
  // Without this an archive of another release could be linked.
  strongroom_link_0_1_0();

  // 1. A vault for one session, with the CMKs that may wrap for its org.
  strongroom_vault *vault = NULL;
  must(strongroom_vault_new(bytes("{\"cmks\":{\"acme\":[\"" CMK "\"]}}"), &vault), "new");

  // 2. What must the KMS be asked for this row?
  static uint8_t request[STRONGROOM_REQUEST_MAX];
  size_t request_len;
  must(strongroom_vault_unwrap_request(vault, bytes("acme"), bytes(wrap_row), request, sizeof request, &request_len),
       "unwrap_request");

  // 3. Its answer goes in, and the DEK stays in the vault: the buffer is wiped.
  strongroom_reply reply = {
      .endpoint = bytes("https://kms-fips.us-east-1.amazonaws.com"),
      .key_id = bytes(CMK),
      .plaintext = answered_dek,
      .plaintext_len = sizeof answered_dek,
  };
  uint8_t dek_ref[STRONGROOM_DEK_REF_LEN];
  must(strongroom_vault_admit(vault, bytes("acme"), bytes(wrap_row), &reply, dek_ref), "admit");
  must(strongroom_vault_set_active(vault, bytes(active_row)), "set_active");

  // 4. A value is sealed at its place, and opens there and nowhere else.
  strongroom_binding at = {
      .org = bytes("acme"), .table = bytes("hosts"), .record = bytes("h-17"), .field = bytes("password")};
  uint8_t envelope[7 + STRONGROOM_OVERHEAD], opened[7];
  size_t envelope_len, opened_len;
  must(strongroom_vault_seal(vault, &at, bytes("hunter2"), STRONGROOM_SCOPE_ORG, 0, envelope, sizeof envelope,
                             &envelope_len),
       "seal");
  must(strongroom_vault_open(vault, &at, (strongroom_bytes){envelope, envelope_len}, opened, sizeof opened,
                             &opened_len),
       "open");
  printf("%s\nsealed %zu bytes, opened \"%.*s\"\n", strongroom_version(), envelope_len, (int)opened_len,
         (const char *)opened);

  at.record = bytes("h-18");
  strongroom_status moved =
      strongroom_vault_open(vault, &at, (strongroom_bytes){envelope, envelope_len}, opened, sizeof opened, &opened_len);
  printf("at another record: %s\n", strongroom_error_name(moved));

  strongroom_vault_free(vault);
  return moved == STRONGROOM_AUTH_FAILED ? 0 : 1;
}
