// The shim of the C ABI: answers the conformance runner's lines with strongroom.h.
// It converts and calls, nothing else.
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"

writer out;
int wiped;

static jmp_buf ended;
static const char *crashed;

void refuse(void) { longjmp(ended, (int)STRONGROOM_BAD_INPUT); }

void crash(const char *why) {
  crashed = why;
  longjmp(ended, (int)STRONGROOM_INTERNAL);
}

static strongroom_status hello(const json *line);
static const op own_ops[] = {{"hello", hello}, {NULL, NULL}};
static const op *const all_ops[] = {own_ops, field_ops, key_ops, test_ops};

static op_call find(const json *line) {
  const json *name = json_member(line, "op");
  for (size_t i = 0; name != NULL && i < sizeof all_ops / sizeof *all_ops; i++) {
    for (const op *known = all_ops[i]; known->name != NULL; known++) {
      if (strcmp(known->name, (const char *)name->bytes) == 0) {
        return known->call;
      }
    }
  }
  crash("no such op");
}

static strongroom_status hello(const json *line) {
  (void)line;
  put(&out, "{\"protocol\":1,\"name\":\"c\",\"version\":");
  put_quoted(&out, strongroom_version());
  put(&out, ",\"strings\":[\"utf8\"],\"ops\":[");
  const char *between = "";
  for (size_t i = 1; i < sizeof all_ops / sizeof *all_ops; i++) {
    for (const op *known = all_ops[i]; known->name != NULL; known++) {
      put(&out, between);
      put_quoted(&out, known->name);
      between = ",";
    }
  }
  put(&out, "],\"extras\":[\"wiped\",\"large\",\"cmks\",\"min_versions\",\"field_limit\",\"danger_endpoint\"");
  put(&out, test_extras);
  put(&out, "]}");
  return STRONGROOM_OK;
}

static strongroom_status run(const char *text, size_t len) {
  int end = setjmp(ended);
  if (end != 0) {
    return (strongroom_status)end;
  }
  const json *line = json_read(text, len);
  if (line == NULL) {
    crash("not JSON");
  }
  return find(line)(line);
}

static void answer(const char *text, size_t len) {
  writer whole = {0};
  out.len = 0;
  wiped = 0;
  crashed = NULL;
  strongroom_status status = run(text, len);
  if (crashed != NULL) {
    put(&whole, "{\"ok\":false,\"err\":\"CRASH\",\"num\":0,\"msg\":");
    put_quoted(&whole, crashed);
  } else if (status != STRONGROOM_OK) {
    put(&whole, "{\"ok\":false,");
    put_error(&whole, status);
  } else {
    put(&whole, "{\"ok\":true,\"out\":");
    put_raw(&whole, out.text, out.len);
  }
  put(&whole, wiped ? ",\"wiped\":true}\n" : "}\n");
  fwrite(whole.text, 1, whole.len, stdout);
  fflush(stdout);
  free(whole.text);
  line_done();
}

int main(void) {
  // Not linked with an archive of another release than strongroom.h.
  strongroom_link_0_1_0();
  char *line = NULL;
  size_t cap = 0;
  ssize_t len;
  while ((len = getline(&line, &cap, stdin)) > 0) {
    answer(line, (size_t)len);
  }
  free(line);
  return 0;
}
