// What cgo.go needs between Go and strongroom.h: structs by value.
#ifndef STRONGROOM_CGO_H
#define STRONGROOM_CGO_H

#include "strongroom.h"

static inline strongroom_status strongroom_go_seal(const strongroom_vault *vault, strongroom_binding at,
    strongroom_bytes plaintext, uint8_t scope, uint8_t padded, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_vault_seal(vault, &at, plaintext, scope, padded, dst, cap, len);
}

static inline strongroom_status strongroom_go_open(const strongroom_vault *vault, strongroom_binding at,
    strongroom_bytes envelope, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_vault_open(vault, &at, envelope, dst, cap, len);
}

static inline strongroom_status strongroom_go_reseal(const strongroom_vault *vault, strongroom_binding at,
    strongroom_bytes envelope, int8_t scope, int8_t padded, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_vault_reseal(vault, &at, envelope, scope, padded, dst, cap, len);
}

static inline strongroom_status strongroom_go_rebind(const strongroom_vault *vault, strongroom_binding from,
    strongroom_binding to, strongroom_bytes envelope, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_vault_rebind(vault, &from, &to, envelope, dst, cap, len);
}

// `asked` is 0 for a row that needs no answer.
static inline strongroom_status strongroom_go_admit(const strongroom_vault *vault, strongroom_bytes org,
    strongroom_bytes row, uint8_t asked, strongroom_reply reply, uint8_t *dek_ref) {
  return strongroom_vault_admit(vault, org, row, asked ? &reply : NULL, dek_ref);
}

static inline strongroom_status strongroom_go_admit_minted(const strongroom_vault *vault, uint64_t request,
    strongroom_reply reply, uint8_t *row, size_t row_cap, size_t *row_len,
    uint8_t *active, size_t active_cap, size_t *active_len) {
  return strongroom_vault_admit_minted(vault, request, &reply, row, row_cap, row_len, active, active_cap, active_len);
}

static inline strongroom_status strongroom_go_admit_shared(const strongroom_vault *vault, uint64_t request,
    strongroom_reply reply, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_vault_admit_shared(vault, request, &reply, dst, cap, len);
}

#endif
