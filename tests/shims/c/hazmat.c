// What only the test build has: bare DEKs, fixed IVs, set clocks, a failing generator.
#include <string.h>

#include "shim.h"
#include "strongroom_hazmat.h"

static uint8_t row_text[STRONGROOM_ROW_MAX];

static const strongroom_hazmat_dek *bare(const json *object, const char *key, const char *identity) {
  strongroom_hazmat_dek *made = line_alloc(sizeof *made);
  made->key = octets(object, key);
  made->identity = as_json(json_member(object, identity));
  return made;
}

static strongroom_status done_hex(strongroom_status status, const uint8_t *bytes, size_t len) {
  if (status == STRONGROOM_OK) {
    put_hex(&out, bytes, len);
  }
  return status;
}

static strongroom_status op_dek_ref(const json *line) {
  uint8_t dek_ref[STRONGROOM_DEK_REF_LEN];
  strongroom_status status = strongroom_hazmat_dek_ref(bare(line, "key", "identity"), dek_ref);
  return done_hex(status, dek_ref, sizeof dek_ref);
}

static strongroom_status op_binding_aad(const json *line) {
  uint8_t aad[8192];
  size_t len;
  strongroom_status status = strongroom_hazmat_binding_aad(
      octets(line, "header"), place(json_member(line, "bind")), aad, sizeof aad, &len);
  return done_hex(status, aad, len);
}

static strongroom_status op_seal(const json *line) {
  strongroom_bytes plaintext = octets(line, "pt");
  uint8_t padded = yes(line, "padded", 0);
  size_t len, cap = strongroom_sealed_len(plaintext.len, padded);
  uint8_t *envelope = line_alloc(cap);
  strongroom_status status =
      strongroom_hazmat_seal(bare(line, "key", "identity"), place(json_member(line, "bind")), plaintext, padded,
                             octets(line, "iv"), envelope, cap, &len);
  return done_hex(status, envelope, len);
}

static strongroom_status op_open(const json *line) {
  strongroom_bytes envelope = octets(line, "env");
  size_t len;
  uint8_t *plaintext = line_alloc(envelope.len);
  strongroom_status status = strongroom_hazmat_open(bare(line, "key", "identity"), place(json_member(line, "bind")),
                                                    envelope, plaintext, envelope.len, &len);
  return done_hex(status, plaintext, len);
}

static strongroom_status op_seal_many(const json *line) {
  uint32_t count = u32(line, "n");
  size_t len, cap = (size_t)count * STRONGROOM_OVERHEAD;
  uint8_t *joined = line_alloc(cap);
  strongroom_status status = strongroom_hazmat_seal_many(bare(line, "key", "identity"),
                                                         place(json_member(line, "bind")), count, joined, cap, &len);
  if (status != STRONGROOM_OK) {
    return status;
  }
  put(&out, "[");
  for (size_t at = 0; at < len; at += STRONGROOM_OVERHEAD) {
    put(&out, at == 0 ? "" : ",");
    put_hex(&out, joined + at, STRONGROOM_OVERHEAD);
  }
  put(&out, "]");
  return status;
}

static strongroom_status op_reseal(const json *line) {
  strongroom_bytes envelope = octets(line, "env");
  size_t len;
  uint8_t *resealed = line_alloc(envelope.len);
  strongroom_status status = strongroom_hazmat_reseal(bare(json_member(line, "from"), "key", "identity"),
                                                      bare(json_member(line, "to"), "key", "identity"),
                                                      place(json_member(line, "bind")), envelope, resealed,
                                                      envelope.len, &len);
  return done_hex(status, resealed, len);
}

static strongroom_status op_wrap_local(const json *line) {
  size_t len;
  strongroom_status status = strongroom_hazmat_wrap_local(
      bare(line, "kek", "kek_identity"), bare(line, "key", "identity"), text(line, "purpose"), text(line, "reader"),
      u64(line, "created"), octets(line, "iv"), row_text, sizeof row_text, &len);
  if (status == STRONGROOM_OK) {
    put_raw(&out, row_text, len);
  }
  return status;
}

static strongroom_status op_unwrap_local(const json *line) {
  const json *probe = json_member(line, "probe");
  strongroom_bytes envelope = octets(probe, "env");
  size_t len;
  uint8_t *plaintext = line_alloc(envelope.len);
  strongroom_status status = strongroom_hazmat_unwrap_local(
      bare(line, "kek", "kek_identity"), as_json(json_member(line, "row")), place(json_member(probe, "bind")),
      envelope, plaintext, envelope.len, &len);
  return done_hex(status, plaintext, len);
}

static strongroom_status op_new(const json *line) {
  const json *clock = json_member(line, "clock");
  strongroom_vault *made;
  strongroom_status status = strongroom_hazmat_vault_new(as_json(json_member(line, "options")), u64(clock, "wall"),
                                                         u64(clock, "mono"), &made);
  if (status == STRONGROOM_OK) {
    put_number(&out, keep(made));
  }
  return status;
}

static strongroom_status op_set_clock(const json *line) {
  put(&out, "true");
  return strongroom_hazmat_set_clock(vault(line), u64(line, "wall"), u64(line, "mono"));
}

static strongroom_status op_rng(const json *line) {
  put(&out, "true");
  return strongroom_hazmat_set_rng_ok(yes(line, "ok", 2));
}

const op test_ops[] = {
    {"dek_ref", op_dek_ref},
    {"binding_aad", op_binding_aad},
    {"seal", op_seal},
    {"open", op_open},
    {"seal_many", op_seal_many},
    {"reseal", op_reseal},
    {"wrap_local", op_wrap_local},
    {"unwrap_local", op_unwrap_local},
    {"vault.new", op_new},
    {"vault.set_clock", op_set_clock},
    {"vault.rng", op_rng},
    {NULL, NULL},
};
const char test_extras[] = ",\"iv\"";
