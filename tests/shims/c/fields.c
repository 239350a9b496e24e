// Ops on envelopes.
#include <string.h>

#include "shim.h"

static strongroom_status done_hex(strongroom_status status, const uint8_t *bytes, size_t len) {
  if (status == STRONGROOM_OK) {
    put_hex(&out, bytes, len);
  }
  return status;
}

static strongroom_status op_inspect(const json *line) {
  strongroom_untrusted_header header;
  strongroom_status status = strongroom_inspect(octets(line, "env"), &header);
  if (status != STRONGROOM_OK) {
    return status;
  }
  put(&out, "{\"version\":");
  put_number(&out, header.version);
  put(&out, ",\"suite\":");
  put_number(&out, header.suite);
  put(&out, header.padded ? ",\"padded\":true,\"dek_ref\":" : ",\"padded\":false,\"dek_ref\":");
  put_hex(&out, header.dek_ref, sizeof header.dek_ref);
  put(&out, ",\"ct_len\":");
  put_number(&out, header.ct_len);
  put(&out, "}");
  return status;
}

static strongroom_status op_to_text(const json *line) {
  strongroom_bytes envelope = octets(line, "env");
  size_t len, cap = strongroom_text_len(envelope.len);
  uint8_t *printed = line_alloc(cap);
  strongroom_status status = strongroom_to_text(envelope, printed, cap, &len);
  if (status == STRONGROOM_OK) {
    put_quoted(&out, (const char *)printed);
  }
  return status;
}

static strongroom_status op_from_text(const json *line) {
  strongroom_bytes printed = text(line, "text");
  size_t len;
  uint8_t *envelope = line_alloc(printed.len);
  strongroom_status status = strongroom_from_text(printed, envelope, printed.len, &len);
  return done_hex(status, envelope, len);
}

static strongroom_status op_missing(const json *line) {
  const json *envs = json_member(line, "envs");
  size_t count = 0, size = 0, len;
  for (const json *env = envs->first; env != NULL; env = env->next) {
    count++;
    size += env->len / 2;
  }
  uint32_t *lengths = line_alloc(count * sizeof *lengths);
  uint8_t *joined = line_alloc(size), *to = joined, *refs = line_alloc(count * STRONGROOM_DEK_REF_LEN);
  size_t i = 0;
  for (const json *env = envs->first; env != NULL; env = env->next) {
    strongroom_bytes bytes = octets_of(env);
    lengths[i++] = (uint32_t)bytes.len;
    if (bytes.len > 0) {
      memcpy(to, bytes.data, bytes.len);
    }
    to += bytes.len;
  }
  strongroom_status status = strongroom_vault_missing(vault(line), (strongroom_bytes){joined, size}, lengths, count,
                                                      refs, count * STRONGROOM_DEK_REF_LEN, &len);
  if (status != STRONGROOM_OK) {
    return status;
  }
  put(&out, "[");
  for (size_t at = 0; at < len; at += STRONGROOM_DEK_REF_LEN) {
    put(&out, at == 0 ? "" : ",");
    put_hex(&out, refs + at, STRONGROOM_DEK_REF_LEN);
  }
  put(&out, "]");
  return status;
}

static strongroom_status op_seal(const json *line) {
  const json *options = json_member(line, "options");
  strongroom_bytes plaintext = octets(line, "pt");
  uint8_t padded = yes(options, "padded", 0);
  size_t len, cap = strongroom_sealed_len(plaintext.len, padded);
  uint8_t *envelope = line_alloc(cap);
  strongroom_status status =
      strongroom_vault_seal(vault(line), place(json_member(line, "bind")), plaintext,
                            scope(options, STRONGROOM_SCOPE_ORG), padded, envelope, cap, &len);
  return done_hex(status, envelope, len);
}

static strongroom_status op_open(const json *line) {
  strongroom_bytes envelope = octets(line, "env");
  size_t len;
  uint8_t *plaintext = line_alloc(envelope.len);
  strongroom_status status = strongroom_vault_open(vault(line), place(json_member(line, "bind")), envelope,
                                                   plaintext, envelope.len, &len);
  return done_hex(status, plaintext, len);
}

static strongroom_status op_reseal(const json *line) {
  const json *options = json_member(line, "options");
  strongroom_bytes envelope = octets(line, "env");
  size_t len, cap = envelope.len + STRONGROOM_PAD_BLOCK;
  uint8_t *resealed = line_alloc(cap);
  strongroom_status status = strongroom_vault_reseal(
      vault(line), place(json_member(line, "bind")), envelope, (int8_t)scope(options, (uint8_t)STRONGROOM_KEEP),
      (int8_t)yes(options, "padded", (uint8_t)STRONGROOM_KEEP), resealed, cap, &len);
  return done_hex(status, resealed, len);
}

static strongroom_status op_rebind(const json *line) {
  strongroom_bytes envelope = octets(line, "env");
  size_t len;
  uint8_t *rebound = line_alloc(envelope.len);
  strongroom_status status = strongroom_vault_rebind(vault(line), place(json_member(line, "from")),
                                                     place(json_member(line, "to")), envelope, rebound,
                                                     envelope.len, &len);
  return done_hex(status, rebound, len);
}

static void frame_number(writer *frame, uint64_t number, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    put_raw(frame, &(uint8_t){(uint8_t)(number >> shift)}, 1);
  }
}

static void frame_bytes(writer *frame, strongroom_bytes bytes) {
  frame_number(frame, bytes.len, 4);
  put_raw(frame, bytes.data, bytes.len);
}

static void frame_item(writer *frame, const json *item, const char *value) {
  const json *options = json_member(item, "options");
  const strongroom_binding *at = place(json_member(item, "bind"));
  frame_bytes(frame, at->org);
  frame_bytes(frame, at->table);
  frame_bytes(frame, at->record);
  frame_bytes(frame, at->field);
  frame_number(frame, at->has_revision, 1);
  frame_number(frame, at->revision, 8);
  frame_number(frame, scope(options, STRONGROOM_SCOPE_ORG), 1);
  frame_number(frame, yes(options, "padded", 0), 1);
  frame_bytes(frame, octets(item, value));
}

static uint32_t frame_take(const uint8_t **at) {
  const uint8_t *b = *at;
  *at += 4;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static strongroom_status many(const json *line, const char *value,
                              strongroom_status (*call)(const strongroom_vault *, strongroom_bytes, uint8_t *,
                                                        size_t, size_t *)) {
  static writer frame;
  frame.len = 0;
  size_t count = 0, len;
  for (const json *item = json_member(line, "items")->first; item != NULL; item = item->next, count++) {
    frame_item(&frame, item, value);
  }
  size_t cap = frame.len + count * STRONGROOM_SEAL_REPLY_EXTRA;
  uint8_t *answers = line_alloc(cap);
  strongroom_bytes whole = {(const uint8_t *)frame.text, frame.len};
  strongroom_status status = call(vault(line), whole, answers, cap, &len);
  if (status != STRONGROOM_OK) {
    return status;
  }
  put(&out, "[");
  for (const uint8_t *at = answers; at < answers + len;) {
    put(&out, at == answers ? "" : ",");
    strongroom_status one = frame_take(&at);
    uint32_t size = frame_take(&at);
    if (one == STRONGROOM_OK) {
      put(&out, "{\"ok\":true,\"out\":");
      put_hex(&out, at, size);
    } else {
      put(&out, "{\"ok\":false,");
      put_error(&out, one);
    }
    put(&out, "}");
    at += size;
  }
  put(&out, "]");
  return status;
}

static strongroom_status op_seal_many(const json *line) { return many(line, "pt", strongroom_vault_seal_many); }

static strongroom_status op_open_many(const json *line) { return many(line, "env", strongroom_vault_open_many); }

const op field_ops[] = {
    {"inspect", op_inspect},       {"to_text", op_to_text},       {"from_text", op_from_text},
    {"vault.missing", op_missing}, {"vault.seal", op_seal},       {"vault.open", op_open},
    {"vault.reseal", op_reseal},   {"vault.rebind", op_rebind},   {"vault.seal_many", op_seal_many},
    {"vault.open_many", op_open_many}, {NULL, NULL},
};
