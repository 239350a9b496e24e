#include <stdlib.h>
#include <string.h>

#include "shim.h"

static strongroom_vault **vaults;
static size_t vault_count;

uint64_t keep(strongroom_vault *made) {
  vaults = realloc(vaults, (vault_count + 1) * sizeof *vaults);
  if (vaults == NULL) {
    abort();
  }
  vaults[vault_count++] = made;
  return vault_count;
}

// A number that is none gives a null vault, for the library to judge.
static strongroom_vault **slot(const json *line) {
  static strongroom_vault *none;
  uint32_t number = u32(line, "vault");
  none = NULL;
  return number >= 1 && number <= vault_count ? &vaults[number - 1] : &none;
}

strongroom_vault *vault(const json *line) { return *slot(line); }

void close_vault(const json *line) {
  strongroom_vault_free(*slot(line));
  *slot(line) = NULL;
}

static int digit(uint8_t c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

strongroom_bytes octets_of(const json *value) {
  if (value == NULL) {
    return (strongroom_bytes){NULL, 0};
  }
  if (value->kind != JSON_TEXT || value->len % 2 != 0) {
    refuse();
  }
  uint8_t *bytes = line_alloc(value->len / 2);
  for (size_t i = 0; i < value->len; i += 2) {
    int high = digit(value->bytes[i]), low = digit(value->bytes[i + 1]);
    if (high < 0 || low < 0) {
      refuse();
    }
    bytes[i / 2] = (uint8_t)(high << 4 | low);
  }
  return (strongroom_bytes){bytes, value->len / 2};
}

strongroom_bytes octets(const json *object, const char *name) { return octets_of(json_member(object, name)); }

static strongroom_bytes string(const json *value) {
  if (value == NULL) {
    return (strongroom_bytes){NULL, 0};
  }
  const json *bytes = json_member(value, "utf8");
  if (bytes != NULL) {
    return octets_of(bytes);
  }
  if (value->kind != JSON_TEXT) {
    refuse();
  }
  return (strongroom_bytes){value->bytes, value->len};
}

strongroom_bytes text(const json *object, const char *name) { return string(json_member(object, name)); }

static void spell(writer *to, const json *value) {
  const json *bytes = json_member(value, "utf8");
  if (bytes != NULL) {
    strongroom_bytes any = octets_of(bytes);
    put(to, "\"");
    put_raw(to, any.data, any.len);
    put(to, "\"");
  } else if (value->kind == JSON_OBJECT || value->kind == JSON_LIST) {
    const char *open = value->kind == JSON_OBJECT ? "{" : "[", *close = value->kind == JSON_OBJECT ? "}" : "]";
    put(to, open);
    for (const json *member = value->first; member != NULL; member = member->next) {
      put(to, member == value->first ? "" : ",");
      if (value->kind == JSON_OBJECT) {
        put_quoted(to, member->name);
        put(to, ":");
      }
      spell(to, member);
    }
    put(to, close);
  } else {
    put_raw(to, value->from, (size_t)(value->to - value->from));
  }
}

strongroom_bytes as_json(const json *value) {
  if (value == NULL) {
    return (strongroom_bytes){NULL, 0};
  }
  writer spelt = {0};
  spell(&spelt, value);
  uint8_t *kept = line_alloc(spelt.len);
  memcpy(kept, spelt.text, spelt.len);
  free(spelt.text);
  return (strongroom_bytes){kept, spelt.len};
}

static uint64_t whole(const char *from, const char *to, uint64_t max) {
  uint64_t number = 0;
  if (from == to) {
    refuse();
  }
  for (; from < to; from++) {
    if (*from < '0' || *from > '9' || number > (max - (uint64_t)(*from - '0')) / 10) {
      refuse();
    }
    number = 10 * number + (uint64_t)(*from - '0');
  }
  return number;
}

uint32_t u32(const json *object, const char *name) {
  const json *value = json_member(object, name);
  if (value == NULL || value->kind != JSON_NUMBER) {
    refuse();
  }
  return (uint32_t)whole(value->from, value->to, UINT32_MAX);
}

uint64_t u64(const json *object, const char *name) {
  const json *value = json_member(object, name);
  if (value == NULL || (value->kind != JSON_TEXT && value->kind != JSON_NUMBER)) {
    refuse();
  }
  int quotes = value->kind == JSON_TEXT;
  return whole(value->from + quotes, value->to - quotes, UINT64_MAX);
}

uint8_t yes(const json *object, const char *name, uint8_t absent) {
  const json *value = json_member(object, name);
  if (value == NULL) {
    return absent;
  }
  if (value->kind != JSON_WORD || *value->from == 'n') {
    refuse();
  }
  return *value->from == 't';
}

uint8_t scope(const json *options, uint8_t absent) {
  const json *value = json_member(options, "scope");
  if (value == NULL) {
    return absent;
  }
  strongroom_bytes name = string(value);
  if (name.len == 3 && memcmp(name.data, "org", 3) == 0) {
    return STRONGROOM_SCOPE_ORG;
  }
  if (name.len == 6 && memcmp(name.data, "record", 6) == 0) {
    return STRONGROOM_SCOPE_RECORD;
  }
  refuse();
}

const strongroom_binding *place(const json *bind) {
  strongroom_binding *at = line_alloc(sizeof *at);
  at->org = text(bind, "org");
  at->table = text(bind, "table");
  at->record = text(bind, "record");
  at->field = text(bind, "field");
  at->has_revision = json_member(bind, "revision") != NULL;
  at->revision = at->has_revision ? u64(bind, "revision") : 0;
  return at;
}

const strongroom_reply *reply(const json *value) {
  if (value == NULL) {
    return NULL;
  }
  strongroom_reply *made = line_alloc(sizeof *made);
  strongroom_bytes plaintext = octets(value, "Plaintext");
  made->endpoint = text(value, "endpoint");
  made->error = text(value, "error");
  made->key_id = text(value, "KeyId");
  made->ciphertext_blob = octets(value, "CiphertextBlob");
  // The bytes are the line's own and may be wiped.
  made->plaintext = (uint8_t *)plaintext.data;
  made->plaintext_len = plaintext.len;
  return made;
}

void see_wiped(const strongroom_reply *from) {
  wiped = from != NULL && from->plaintext != NULL;
  for (size_t i = 0; wiped && i < from->plaintext_len; i++) {
    wiped = from->plaintext[i] == 0;
  }
}
