// What hazmat_cgo_boring.go needs between Go and strongroom_hazmat_boring.h: structs by value.
#ifndef STRONGROOM_HAZMAT_BORING_CGO_H
#define STRONGROOM_HAZMAT_BORING_CGO_H

#include "boring_cgo.h"
#include "hazmat_cgo.h"
#include "strongroom_hazmat_boring.h"

static inline strongroom_status strongroom_go_hazmat_seal_begin(strongroom_hazmat_dek dek, strongroom_binding at,
    strongroom_bytes plaintext, uint8_t padded, strongroom_bytes iv, strongroom_external **made) {
  return strongroom_hazmat_seal_begin(&dek, &at, plaintext, padded, iv, made);
}

static inline strongroom_status strongroom_go_hazmat_open_begin(strongroom_hazmat_dek dek, strongroom_binding at,
    strongroom_bytes envelope, strongroom_external **made) {
  return strongroom_hazmat_open_begin(&dek, &at, envelope, made);
}

static inline strongroom_status strongroom_go_hazmat_seal_many_begin(strongroom_hazmat_dek dek, strongroom_binding at,
    uint32_t count, strongroom_external **made) {
  return strongroom_hazmat_seal_many_begin(&dek, &at, count, made);
}

static inline strongroom_status strongroom_go_hazmat_reseal_begin(strongroom_hazmat_dek from, strongroom_hazmat_dek to,
    strongroom_binding at, strongroom_bytes envelope, strongroom_external **made) {
  return strongroom_hazmat_reseal_begin(&from, &to, &at, envelope, made);
}

static inline strongroom_status strongroom_go_hazmat_wrap_local_begin(strongroom_hazmat_dek kek, strongroom_hazmat_dek dek,
    strongroom_bytes purpose, strongroom_bytes reader, uint64_t created, strongroom_bytes iv,
    strongroom_external **made) {
  return strongroom_hazmat_wrap_local_begin(&kek, &dek, purpose, reader, created, iv, made);
}

static inline strongroom_status strongroom_go_hazmat_unwrap_local_begin(strongroom_hazmat_dek kek, strongroom_bytes row,
    strongroom_binding at, strongroom_bytes envelope, strongroom_external **made) {
  return strongroom_hazmat_unwrap_local_begin(&kek, row, &at, envelope, made);
}

#endif
