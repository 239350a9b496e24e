#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct block {
  struct block *before;
} block;

static block *blocks;

void *line_alloc(size_t size) {
  block *made = calloc(1, sizeof(block) + size + 1);
  if (made == NULL) {
    abort();
  }
  made->before = blocks;
  blocks = made;
  return made + 1;
}

void line_done(void) {
  while (blocks != NULL) {
    block *before = blocks->before;
    free(blocks);
    blocks = before;
  }
}

typedef struct {
  const char *at, *end;
} reader;

static json *read_value(reader *in);

static void skip_space(reader *in) {
  while (in->at < in->end && strchr(" \t\r\n", *in->at) != NULL) {
    in->at++;
  }
}

static int take(reader *in, char c) {
  skip_space(in);
  if (in->at == in->end || *in->at != c) {
    return 0;
  }
  in->at++;
  return 1;
}

static int read_unit(reader *in, unsigned *unit) {
  *unit = 0;
  for (int i = 0; i < 4; i++) {
    static const char digits[] = "0123456789abcdef";
    const char *digit = in->at < in->end ? memchr(digits, *in->at | 32, 16) : NULL;
    if (digit == NULL) {
      return 0;
    }
    *unit = *unit * 16 + (unsigned)(digit - digits);
    in->at++;
  }
  return 1;
}

static size_t encode(uint8_t *to, unsigned point) {
  if (point < 0x80) {
    to[0] = (uint8_t)point;
    return 1;
  }
  size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
  for (size_t i = more; i > 0; i--, point >>= 6) {
    to[i] = (uint8_t)(0x80 | (point & 0x3F));
  }
  to[0] = (uint8_t)(lead[more] | point);
  return more + 1;
}

static int read_escape(reader *in, json *text) {
  static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  if (in->at == in->end) {
    return 0;
  }
  char c = *in->at++;
  const char *found = c != 0 ? strchr(names, c) : NULL;
  if (found != NULL) {
    text->bytes[text->len++] = (uint8_t)meant[found - names];
    return 1;
  }
  unsigned point, low;
  if (c != 'u' || !read_unit(in, &point)) {
    return 0;
  }
  if (point >> 10 == 0x36 && in->end - in->at > 6 && in->at[0] == '\\' && in->at[1] == 'u') {
    reader ahead = {in->at + 2, in->end};
    if (read_unit(&ahead, &low) && low >> 10 == 0x37) {
      in->at = ahead.at;
      point = 0x10000 + ((point & 0x3FF) << 10) + (low & 0x3FF);
    }
  }
  text->len += encode(text->bytes + text->len, point);
  return 1;
}

static int read_text(reader *in, json *text) {
  const char *close = in->at;
  while (close < in->end && *close != '"') {
    close += *close == '\\' ? 2 : 1;
  }
  if (close >= in->end) {
    return 0;
  }
  text->kind = JSON_TEXT;
  text->bytes = line_alloc((size_t)(close - in->at));
  while (in->at < close) {
    if (*in->at == '\\') {
      in->at++;
      if (!read_escape(in, text)) {
        return 0;
      }
    } else {
      text->bytes[text->len++] = (uint8_t)*in->at++;
    }
  }
  in->at = close + 1;
  return 1;
}

static int read_members(reader *in, json *whole, char close) {
  whole->kind = close == '}' ? JSON_OBJECT : JSON_LIST;
  json **next = &whole->first;
  if (take(in, close)) {
    return 1;
  }
  do {
    json name = {0};
    if (close == '}' && (!take(in, '"') || !read_text(in, &name) || !take(in, ':'))) {
      return 0;
    }
    json *value = read_value(in);
    if (value == NULL) {
      return 0;
    }
    value->name = (const char *)name.bytes;
    *next = value;
    next = &value->next;
  } while (take(in, ','));
  return take(in, close);
}

static json *read_value(reader *in) {
  json *value = line_alloc(sizeof *value);
  skip_space(in);
  value->from = in->at;
  int good;
  if (take(in, '"')) {
    good = read_text(in, value);
  } else if (take(in, '{')) {
    good = read_members(in, value, '}');
  } else if (take(in, '[')) {
    good = read_members(in, value, ']');
  } else {
    while (in->at < in->end && strchr(",:]} \t\r\n", *in->at) == NULL) {
      in->at++;
    }
    good = in->at > value->from;
    value->kind = good && strchr("tfn", *value->from) == NULL ? JSON_NUMBER : JSON_WORD;
  }
  value->to = in->at;
  return good ? value : NULL;
}

const json *json_read(const char *text, size_t len) {
  reader in = {text, text + len};
  const json *value = read_value(&in);
  skip_space(&in);
  return in.at == in.end ? value : NULL;
}

const json *json_member(const json *object, const char *name) {
  if (object == NULL || object->kind != JSON_OBJECT) {
    return NULL;
  }
  const json *member = object->first;
  while (member != NULL && strcmp(member->name, name) != 0) {
    member = member->next;
  }
  return member;
}

static char *room(writer *out, size_t more) {
  if (out->cap - out->len < more) {
    out->cap = 2 * out->cap + more;
    out->text = realloc(out->text, out->cap);
    if (out->text == NULL) {
      abort();
    }
  }
  out->len += more;
  return out->text + out->len - more;
}

void put_raw(writer *out, const void *bytes, size_t len) {
  if (len > 0) {
    memcpy(room(out, len), bytes, len);
  }
}

void put(writer *out, const char *text) { put_raw(out, text, strlen(text)); }

void put_number(writer *out, uint64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
  put(out, digits);
}

void put_quoted(writer *out, const char *text) {
  put(out, "\"");
  put(out, text);
  put(out, "\"");
}

void put_hex(writer *out, const uint8_t *bytes, size_t len) {
  put(out, "\"");
  char *to = room(out, 2 * len);
  for (size_t i = 0; i < len; i++) {
    *to++ = "0123456789abcdef"[bytes[i] >> 4];
    *to++ = "0123456789abcdef"[bytes[i] & 15];
  }
  put(out, "\"");
}
