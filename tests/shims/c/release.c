// The released library: real clocks, its own IVs.
#include "shim.h"

static strongroom_status op_new(const json *line) {
  strongroom_vault *made;
  strongroom_status status = strongroom_vault_new(as_json(json_member(line, "options")), &made);
  if (status == STRONGROOM_OK) {
    put_number(&out, keep(made));
  }
  return status;
}

const op test_ops[] = {{"vault.new", op_new}, {NULL, NULL}};
const char test_extras[] = "";
