// What hazmat_cgo.go needs between Go and strongroom_hazmat.h: structs by value.
#ifndef STRONGROOM_HAZMAT_CGO_H
#define STRONGROOM_HAZMAT_CGO_H

#include "cgo.h"
#include "strongroom_hazmat.h"

static inline strongroom_status strongroom_go_hazmat_dek_ref(strongroom_hazmat_dek dek, uint8_t *dek_ref) {
  return strongroom_hazmat_dek_ref(&dek, dek_ref);
}

static inline strongroom_status strongroom_go_hazmat_binding_aad(strongroom_bytes header, strongroom_binding at,
    uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_hazmat_binding_aad(header, &at, dst, cap, len);
}

static inline strongroom_status strongroom_go_hazmat_seal(strongroom_hazmat_dek dek, strongroom_binding at,
    strongroom_bytes plaintext, uint8_t padded, strongroom_bytes iv, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_hazmat_seal(&dek, &at, plaintext, padded, iv, dst, cap, len);
}

static inline strongroom_status strongroom_go_hazmat_open(strongroom_hazmat_dek dek, strongroom_binding at,
    strongroom_bytes envelope, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_hazmat_open(&dek, &at, envelope, dst, cap, len);
}

static inline strongroom_status strongroom_go_hazmat_seal_many(strongroom_hazmat_dek dek, strongroom_binding at,
    uint32_t count, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_hazmat_seal_many(&dek, &at, count, dst, cap, len);
}

static inline strongroom_status strongroom_go_hazmat_reseal(strongroom_hazmat_dek from, strongroom_hazmat_dek to,
    strongroom_binding at, strongroom_bytes envelope, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_hazmat_reseal(&from, &to, &at, envelope, dst, cap, len);
}

static inline strongroom_status strongroom_go_hazmat_wrap_local(strongroom_hazmat_dek kek, strongroom_hazmat_dek dek,
    strongroom_bytes purpose, strongroom_bytes reader, uint64_t created, strongroom_bytes iv,
    uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_hazmat_wrap_local(&kek, &dek, purpose, reader, created, iv, dst, cap, len);
}

static inline strongroom_status strongroom_go_hazmat_unwrap_local(strongroom_hazmat_dek kek, strongroom_bytes row,
    strongroom_binding at, strongroom_bytes envelope, uint8_t *dst, size_t cap, size_t *len) {
  return strongroom_hazmat_unwrap_local(&kek, row, &at, envelope, dst, cap, len);
}

#endif
