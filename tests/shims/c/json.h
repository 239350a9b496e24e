// As much JSON as a shim needs: a reader that keeps every value's own text, and a
// writer into one buffer. Memory belongs to the line that is being answered.
#ifndef SHIM_JSON_H
#define SHIM_JSON_H

#include <stddef.h>
#include <stdint.h>

typedef enum { JSON_WORD, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_OBJECT } json_kind;

typedef struct json {
  json_kind kind;
  // The value as it stands in the line.
  const char *from, *to;
  // A text's bytes, decoded. A lone surrogate becomes three bytes that are no UTF-8.
  uint8_t *bytes;
  size_t len;
  // An object's or list's values; a member's name ends with a zero.
  const char *name;
  struct json *first, *next;
} json;

// Reads one value with nothing behind it; null if the text is no such thing.
const json *json_read(const char *text, size_t len);

// The member of that name; null if there is none or the value is no object.
const json *json_member(const json *object, const char *name);

// Memory until line_done.
void *line_alloc(size_t size);
void line_done(void);

typedef struct {
  char *text;
  size_t len, cap;
} writer;

void put_raw(writer *out, const void *bytes, size_t len);
void put(writer *out, const char *text);
void put_number(writer *out, uint64_t number);
void put_quoted(writer *out, const char *text);
void put_hex(writer *out, const uint8_t *bytes, size_t len);

#endif
