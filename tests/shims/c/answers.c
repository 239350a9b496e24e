#include <string.h>

#include "shim.h"

static int sextet(uint8_t c) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *found = memchr(digits, c == '-' ? '+' : c == '_' ? '/' : c, 64);
  return found == NULL ? -1 : (int)(found - digits);
}

// The core's base64, in either alphabet, as hexadecimal.
static void put_base64_as_hex(const json *value) {
  uint8_t *bytes = line_alloc(value->len);
  size_t len = 0;
  uint32_t bits = 0;
  int held = 0;
  for (size_t i = 0; i < value->len && value->bytes[i] != '='; i++) {
    bits = bits << 6 | (uint32_t)sextet(value->bytes[i]);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[len++] = (uint8_t)(bits >> held);
    }
  }
  put_hex(&out, bytes, len);
}

static void put_as_it_stands(const json *value) { put_raw(&out, value->from, (size_t)(value->to - value->from)); }

static void name(const json *object, const json *member, const char *as) {
  put(&out, member == object->first ? "" : ",");
  put_quoted(&out, as);
  put(&out, ":");
}

static const json *read_answer(const uint8_t *text, size_t len) {
  const json *value = json_read((const char *)text, len);
  if (value == NULL) {
    crash("the library's JSON can't be read");
  }
  return value;
}

static void put_params(const json *params, const uint8_t *dek) {
  put(&out, "{");
  for (const json *member = params->first; member != NULL; member = member->next) {
    name(params, member, member->name);
    if (strcmp(member->name, "CiphertextBlob") == 0) {
      put_base64_as_hex(member);
    } else {
      put_as_it_stands(member);
    }
  }
  if (dek != NULL) {
    put(&out, ",\"Plaintext\":");
    put_hex(&out, dek, STRONGROOM_DEK_LEN);
  }
  put(&out, "}");
}

void put_request(const uint8_t *text, size_t len, const uint8_t *dek) {
  const json *request = read_answer(text, len);
  put(&out, "{");
  for (const json *member = request->first; member != NULL; member = member->next) {
    name(request, member, member->name);
    if (strcmp(member->name, "params") == 0) {
      put_params(member, dek);
    } else {
      put_as_it_stands(member);
    }
  }
  put(&out, "}");
}

static void put_dek(const json *dek) {
  put(&out, "{");
  for (const json *member = dek->first; member != NULL; member = member->next) {
    if (strcmp(member->name, "dekRef") == 0) {
      name(dek, member, "dek_ref");
      put_base64_as_hex(member);
    } else if (strcmp(member->name, "ends") == 0) {
      name(dek, member, "ends");
      put(&out, "\"");
      put_as_it_stands(member);
      put(&out, "\"");
    } else {
      name(dek, member, member->name);
      put_as_it_stands(member);
    }
  }
  put(&out, "}");
}

void put_held(const uint8_t *text, size_t len) {
  const json *list = read_answer(text, len);
  put(&out, "[");
  for (const json *dek = list->first; dek != NULL; dek = dek->next) {
    put(&out, dek == list->first ? "" : ",");
    put_dek(dek);
  }
  put(&out, "]");
}

void put_error(writer *to, strongroom_status status) {
  const char *found = strongroom_error_name(status), *meaning = strongroom_error_text(status);
  put(to, "\"err\":");
  put_quoted(to, found != NULL ? found : "CRASH");
  put(to, ",\"num\":");
  put_number(to, status);
  put(to, ",\"msg\":");
  put_quoted(to, meaning != NULL ? meaning : "a status that names no error");
}
