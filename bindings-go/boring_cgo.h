// What cgo_boring.go needs between Go and strongroom_boring.h: structs by value.
#ifndef STRONGROOM_BORING_CGO_H
#define STRONGROOM_BORING_CGO_H

#include "cgo.h"
#include "strongroom_boring.h"

static inline strongroom_status strongroom_go_seal_begin(const strongroom_vault *vault, strongroom_binding at,
    strongroom_bytes plaintext, uint8_t scope, uint8_t padded, strongroom_external **made) {
  return strongroom_vault_seal_begin(vault, &at, plaintext, scope, padded, made);
}

static inline strongroom_status strongroom_go_open_begin(const strongroom_vault *vault, strongroom_binding at,
    strongroom_bytes envelope, strongroom_external **made) {
  return strongroom_vault_open_begin(vault, &at, envelope, made);
}

static inline strongroom_status strongroom_go_reseal_begin(const strongroom_vault *vault, strongroom_binding at,
    strongroom_bytes envelope, int8_t scope, int8_t padded, strongroom_external **made) {
  return strongroom_vault_reseal_begin(vault, &at, envelope, scope, padded, made);
}

static inline strongroom_status strongroom_go_rebind_begin(const strongroom_vault *vault, strongroom_binding from,
    strongroom_binding to, strongroom_bytes envelope, strongroom_external **made) {
  return strongroom_vault_rebind_begin(vault, &from, &to, envelope, made);
}

#endif
