// What the shim's files share: values of a line into values of strongroom.h and back.
#ifndef SHIM_H
#define SHIM_H

#include "json.h"
#include "strongroom.h"

// An op reads its members, calls, and writes its `out`.
typedef strongroom_status (*op_call)(const json *line);

typedef struct {
  const char *name;
  op_call call;
} op;

// The answer's `out`, and its `wiped`.
extern writer out;
extern int wiped;

// Ends the op: a value that C's types can't hold is the host's BAD_INPUT.
_Noreturn void refuse(void);
// Ends the shim's answer with CRASH: a fault of its own.
_Noreturn void crash(const char *why);

strongroom_bytes text(const json *object, const char *name);
strongroom_bytes octets(const json *object, const char *name);
strongroom_bytes octets_of(const json *value);
// JSON that the library takes as text, with strings of any bytes in it.
strongroom_bytes as_json(const json *value);
uint32_t u32(const json *object, const char *name);
uint64_t u64(const json *object, const char *name);
uint8_t yes(const json *object, const char *name, uint8_t absent);
uint8_t scope(const json *options, uint8_t absent);
const strongroom_binding *place(const json *bind);
// Null for no reply.
const strongroom_reply *reply(const json *value);
void see_wiped(const strongroom_reply *reply);
strongroom_vault *vault(const json *line);
uint64_t keep(strongroom_vault *made);
// Frees it; from then on its number means null.
void close_vault(const json *line);

// A core's request, with its bytes in hexadecimal, and the plaintext of Encrypt.
void put_request(const uint8_t *text, size_t len, const uint8_t *dek);
void put_held(const uint8_t *text, size_t len);
void put_error(writer *to, strongroom_status status);

extern const op field_ops[], key_ops[], test_ops[];
// Which of SHIM's extras only the test build has: JSON list members, each with a comma before it.
extern const char test_extras[];

#endif
