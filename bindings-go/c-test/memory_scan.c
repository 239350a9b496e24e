// Looks through the process's own memory for a DEK: found while the vault lives, neither it nor a
// half of it after strongroom_vault_free. And for the plaintext of opens that failed: never there.
// The program itself knows its secrets only under a mask. Exit code 0 means that all held.
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "strongroom.h"

#define CMK "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e"
#define WINDOW ((size_t)8 << 20)
#define SECRET_MAX 4096

typedef struct {
  uint8_t mask[SECRET_MAX], value[SECRET_MAX];
} masked;

static uint8_t *window;
static int faults;

static void check(int holds, const char *what) {
  printf("%s: %s\n", holds ? "ok" : "FAULT", what);
  faults += !holds;
}

static void must(strongroom_status status, const char *step) {
  if (status != STRONGROOM_OK) {
    fprintf(stderr, "%s: %s\n", step, strongroom_error_name(status));
    exit(1);
  }
}

static strongroom_bytes bytes(const char *text) { return (strongroom_bytes){(const uint8_t *)text, strlen(text)}; }

// Writes a random secret into dst and nowhere else.
static void new_secret(masked *secret, uint8_t *dst, size_t len) {
  if (getrandom(secret->mask, len, 0) != (ssize_t)len || getrandom(secret->value, len, 0) != (ssize_t)len) {
    abort();
  }
  for (volatile size_t i = 0; i < len; i++) {
    dst[i] = secret->mask[i] ^ secret->value[i];
  }
}

static size_t count_in(const uint8_t *memory, size_t size, const masked *secret, size_t from, size_t len) {
  size_t found = 0;
  uint8_t first = secret->mask[from] ^ secret->value[from];
  for (const uint8_t *at = memory; (at = memchr(at, first, size - (size_t)(at - memory))) != NULL; at++) {
    size_t same = 0;
    if ((size_t)(memory + size - at) < len) {
      break;
    }
    while (same < len && (at[same] ^ secret->mask[from + same]) == secret->value[from + same]) {
      same++;
    }
    found += same == len;
  }
  return found;
}

static size_t scan_region(int memory, uint64_t from, uint64_t to, const masked *secret, size_t part, size_t len) {
  size_t found = 0;
  while (from < to) {
    size_t size = to - from < WINDOW ? (size_t)(to - from) : WINDOW;
    ssize_t got = pread(memory, window, size, (off_t)from);
    if (got <= 0) {
      break;
    }
    found += count_in(window, (size_t)got, secret, part, len);
    from += (uint64_t)got;
    if (from < to) {
      from -= 64;
    }
  }
  return found;
}

// How often a part of the secret stands in writable memory, the window itself left out.
static size_t count(const masked *secret, size_t part, size_t len) {
  FILE *maps = fopen("/proc/self/maps", "r");
  int memory = open("/proc/self/mem", O_RDONLY);
  if (maps == NULL || memory < 0) {
    abort();
  }
  char line[512];
  uint64_t from, to, own = (uint64_t)(uintptr_t)window, end = own + WINDOW;
  size_t found = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    char rights[8];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, rights) != 3 || strncmp(rights, "rw", 2) != 0) {
      continue;
    }
    if (from < end && own < to) {
      found += from < own ? scan_region(memory, from, own, secret, part, len) : 0;
      found += end < to ? scan_region(memory, end, to, secret, part, len) : 0;
    } else {
      found += scan_region(memory, from, to, secret, part, len);
    }
  }
  close(memory);
  fclose(maps);
  memset(window, 0, WINDOW);
  return found;
}

// A vault with a DEK that nobody else has ever held.
static strongroom_vault *minted(masked *dek) {
  static uint8_t request[STRONGROOM_REQUEST_MAX], row[STRONGROOM_ROW_MAX], active[STRONGROOM_ACTIVE_MAX];
  size_t len, row_len, active_len;
  unsigned long long id;
  uint8_t plaintext[STRONGROOM_DEK_LEN];
  strongroom_vault *vault;
  must(strongroom_vault_new((strongroom_bytes){NULL, 0}, &vault), "new");
  must(strongroom_vault_mint_request(vault, bytes("acme"), bytes(CMK), 1, 1761955200, request, sizeof request, &len),
       "mint_request");
  if (sscanf((const char *)request, "{\"id\":%llu", &id) != 1) {
    abort();
  }
  new_secret(dek, plaintext, sizeof plaintext);
  strongroom_reply reply = {
      .endpoint = bytes("https://kms-fips.us-east-1.amazonaws.com"),
      .key_id = bytes(CMK),
      .plaintext = plaintext,
      .plaintext_len = sizeof plaintext,
      .ciphertext_blob = bytes("blob"),
  };
  must(strongroom_vault_admit_minted(vault, id, &reply, row, sizeof row, &row_len, active, sizeof active, &active_len),
       "admit_minted");
  must(strongroom_vault_set_active(vault, (strongroom_bytes){active, active_len}), "set_active");
  return vault;
}

int main(void) {
  static masked dek, secret;
  static uint8_t plaintext[SECRET_MAX], envelope[SECRET_MAX + STRONGROOM_OVERHEAD], opened[SECRET_MAX];
  size_t len, opened_len;
  window = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (window == MAP_FAILED) {
    abort();
  }
  strongroom_vault *vault = minted(&dek);
  strongroom_binding at = {
      .org = bytes("acme"), .table = bytes("hosts"), .record = bytes("h-17"), .field = bytes("password")};
  new_secret(&secret, plaintext, SECRET_MAX);
  must(strongroom_vault_seal(vault, &at, (strongroom_bytes){plaintext, SECRET_MAX}, STRONGROOM_SCOPE_ORG, 0, envelope,
                             sizeof envelope, &len),
       "seal");
  check(count(&secret, 0, 16) > 0 && count(&secret, 4080, 16) > 0, "the scan finds a plaintext that is there");
  memset(plaintext, 0, SECRET_MAX);
  must(strongroom_vault_open(vault, &at, (strongroom_bytes){envelope, len}, opened, sizeof opened, &opened_len), "open");
  check(count(&secret, 0, 16) > 0, "the scan finds an opened plaintext");

  memset(opened, 0xA5, SECRET_MAX);
  envelope[len - 1] ^= 1;
  opened_len = 7;
  strongroom_status failed =
      strongroom_vault_open(vault, &at, (strongroom_bytes){envelope, len}, opened, sizeof opened, &opened_len);
  size_t touched = 0;
  for (size_t i = 0; i < SECRET_MAX; i++) {
    touched += opened[i] != 0xA5;
  }
  check(failed == STRONGROOM_AUTH_FAILED, "a changed tag does not open");
  check(touched == 0 && opened_len == 7, "a failed open leaves its outputs untouched");
  check(count(&secret, 0, 16) + count(&secret, 2048, 16) + count(&secret, 4080, 16) == 0,
        "a failed open leaves no plaintext behind");

  check(count(&dek, 0, 16) > 0 && count(&dek, 16, 16) > 0, "the scan finds a DEK that is held");
  strongroom_vault_free(vault);
  check(count(&dek, 0, 32) == 0, "no DEK after free");
  check(count(&dek, 0, 16) == 0 && count(&dek, 16, 16) == 0, "no half of a DEK after free");
  return faults == 0 ? 0 : 1;
}
