// Ops on DEKs and their rows.
#include "shim.h"

static uint8_t request_text[STRONGROOM_REQUEST_MAX], row_text[STRONGROOM_ROW_MAX], active_text[STRONGROOM_ACTIVE_MAX];
static uint8_t context_text[STRONGROOM_CONTEXT_MAX], entry_bytes[STRONGROOM_CACHE_ENTRY_MAX];
static uint8_t gone_refs[STRONGROOM_SIGN_OUT_MAX];
static size_t len;

static strongroom_status done_request(strongroom_status status) {
  if (status == STRONGROOM_OK) {
    put_request(request_text, len, NULL);
  }
  return status;
}

static strongroom_status done_row(strongroom_status status) {
  if (status == STRONGROOM_OK) {
    put_raw(&out, row_text, len);
  }
  return status;
}

static strongroom_status done_dek_ref(strongroom_status status, const uint8_t *dek_ref) {
  if (status == STRONGROOM_OK) {
    put_hex(&out, dek_ref, STRONGROOM_DEK_REF_LEN);
  }
  return status;
}

static strongroom_status done(strongroom_status status) {
  put(&out, "true");
  return status;
}

static strongroom_status op_kms_context(const json *line) {
  strongroom_bytes row = as_json(json_member(line, "row"));
  strongroom_status status = strongroom_kms_context(row, context_text, sizeof context_text, &len);
  if (status == STRONGROOM_OK) {
    put_raw(&out, context_text, len);
  }
  return status;
}

static strongroom_status op_mint_request(const json *line) {
  return done_request(strongroom_vault_mint_request(vault(line), text(line, "org"), text(line, "cmk"),
                                                    u32(line, "version"), u64(line, "created"), request_text,
                                                    sizeof request_text, &len));
}

static strongroom_status op_admit_minted(const json *line) {
  size_t active_len;
  const strongroom_reply *from = reply(json_member(line, "reply"));
  strongroom_status status =
      strongroom_vault_admit_minted(vault(line), u64(line, "request"), from, row_text, sizeof row_text, &len,
                                    active_text, sizeof active_text, &active_len);
  see_wiped(from);
  if (status == STRONGROOM_OK) {
    put(&out, "{\"row\":");
    put_raw(&out, row_text, len);
    put(&out, ",\"active\":");
    put_raw(&out, active_text, active_len);
    put(&out, "}");
  }
  return status;
}

static strongroom_status op_set_active(const json *line) {
  return done(strongroom_vault_set_active(vault(line), as_json(json_member(line, "active"))));
}

static strongroom_status op_unwrap_request(const json *line) {
  return done_request(strongroom_vault_unwrap_request(vault(line), text(line, "org"),
                                                      as_json(json_member(line, "row")), request_text,
                                                      sizeof request_text, &len));
}

static strongroom_status op_admit(const json *line) {
  uint8_t dek_ref[STRONGROOM_DEK_REF_LEN];
  const strongroom_reply *from = reply(json_member(line, "reply"));
  strongroom_status status = strongroom_vault_admit(vault(line), text(line, "org"),
                                                    as_json(json_member(line, "row")), from, dek_ref);
  see_wiped(from);
  return done_dek_ref(status, dek_ref);
}

static strongroom_status op_generate_record_dek(const json *line) {
  return done_row(strongroom_vault_generate_record_dek(
      vault(line), text(line, "org"), text(line, "table"), text(line, "record"), u32(line, "version"),
      u64(line, "created"), row_text, sizeof row_text, &len));
}

static strongroom_status op_wrap_local(const json *line) {
  return done_row(strongroom_vault_wrap_local(vault(line), text(line, "org"), octets(line, "dek_ref"),
                                              u64(line, "created"), row_text, sizeof row_text, &len));
}

// Puts the DEK where an Encrypt request has it.
static strongroom_status done_encrypt(const json *line, strongroom_status status) {
  uint8_t dek[STRONGROOM_DEK_LEN];
  if (status == STRONGROOM_OK) {
    const json *request = json_read((const char *)request_text, len);
    status = strongroom_vault_take_request_plaintext(vault(line), u64(request, "id"), dek);
  }
  if (status == STRONGROOM_OK) {
    put_request(request_text, len, dek);
  }
  return status;
}

static strongroom_status op_wrap_request(const json *line) {
  return done_encrypt(line, strongroom_vault_wrap_request(vault(line), octets(line, "dek_ref"), text(line, "cmk"),
                                                          u64(line, "created"), request_text,
                                                          sizeof request_text, &len));
}

static strongroom_status op_share_request(const json *line) {
  return done_encrypt(line, strongroom_vault_share_request(vault(line), octets(line, "dek_ref"),
                                                           text(line, "reader"), text(line, "cmk"),
                                                           u64(line, "created"), request_text,
                                                           sizeof request_text, &len));
}

static strongroom_status op_admit_shared(const json *line) {
  return done_row(strongroom_vault_admit_shared(vault(line), u64(line, "request"),
                                                reply(json_member(line, "reply")), row_text, sizeof row_text,
                                                &len));
}

static strongroom_status op_shred_request(const json *line) {
  return done_request(strongroom_vault_shred_request(vault(line), text(line, "org"), text(line, "cmk"),
                                                     u32(line, "days"), request_text, sizeof request_text, &len));
}

static strongroom_status op_tombstone(const json *line) {
  return done(strongroom_vault_tombstone(vault(line), text(line, "org")));
}

static strongroom_status op_sign_out(const json *line) {
  strongroom_status status = strongroom_vault_sign_out(vault(line), gone_refs, sizeof gone_refs, &len);
  if (status == STRONGROOM_LIMIT) {
    size_t cap = len;
    status = strongroom_vault_sign_out(vault(line), line_alloc(cap), cap, &len);
  }
  return done(status);
}

static strongroom_status op_close(const json *line) {
  close_vault(line);
  return done(STRONGROOM_OK);
}

static strongroom_status op_status(const json *line) {
  strongroom_status status = strongroom_vault_status(vault(line), NULL, 0, &len);
  size_t cap = len;
  uint8_t *list = line_alloc(cap);
  if (status == STRONGROOM_OK) {
    status = strongroom_vault_status(vault(line), list, cap, &len);
  }
  if (status == STRONGROOM_OK) {
    put_held(list, len);
  }
  return status;
}

static strongroom_status op_cache_export(const json *line) {
  strongroom_status status = strongroom_vault_cache_export(vault(line), octets(line, "dek_ref"), entry_bytes,
                                                           sizeof entry_bytes, &len);
  if (status == STRONGROOM_OK) {
    put_hex(&out, entry_bytes, len);
  }
  return status;
}

static strongroom_status op_cache_import(const json *line) {
  uint8_t dek_ref[STRONGROOM_DEK_REF_LEN];
  strongroom_bytes entry = octets(line, "entry");
  // The bytes are the line's own and may be wiped.
  strongroom_status status = strongroom_vault_cache_import(vault(line), (uint8_t *)entry.data, entry.len, dek_ref);
  return done_dek_ref(status, dek_ref);
}

const op key_ops[] = {
    {"kms_context", op_kms_context},
    {"vault.mint_request", op_mint_request},
    {"vault.admit_minted", op_admit_minted},
    {"vault.set_active", op_set_active},
    {"vault.unwrap_request", op_unwrap_request},
    {"vault.admit", op_admit},
    {"vault.generate_record_dek", op_generate_record_dek},
    {"vault.wrap_local", op_wrap_local},
    {"vault.wrap_request", op_wrap_request},
    {"vault.share_request", op_share_request},
    {"vault.admit_shared", op_admit_shared},
    {"vault.shred_request", op_shred_request},
    {"vault.tombstone", op_tombstone},
    {"vault.sign_out", op_sign_out},
    {"vault.close", op_close},
    {"vault.status", op_status},
    {"vault.cache_export", op_cache_export},
    {"vault.cache_import", op_cache_import},
    {NULL, NULL},
};
