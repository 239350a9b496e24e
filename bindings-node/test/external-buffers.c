// A host without external buffers, as Electron is: preloaded into Node beside a copy of the addon
// whose look-ups of napi_create_external_{arraybuffer,buffer} are renamed to the names below.
// Every attempt is refused with napi_no_external_buffers_allowed (22) and counted.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static int attempts;

int nopi_create_external_arraybuffer(void *env, void *data, size_t length, void *finalize, void *hint, void **result) {
  attempts++;
  return 22;
}

int nopi_create_external_buffer(void *env, size_t length, void *data, void *finalize, void *hint, void **result) {
  attempts++;
  return 22;
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("EXTERNAL_ATTEMPTS");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%d", attempts);
  fclose(file);
}
