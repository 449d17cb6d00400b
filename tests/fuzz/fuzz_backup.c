/* backup.json: any bytes are a list of files that stay below their directory, or an error. The
 * checksum is made to hold, so that what is behind it is read. */
#include <stdlib.h>
#include <string.h>

#include "api/backup_file.h"
#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct backup *backup) {
  for (size_t i = 0; i < backup->count; i++) {
    struct str path = backup->files[i].path;
    if (!path.size || path.data[0] == '/' || strlen(backup->files[i].digest) != BACKUP_DIGEST_TEXT)
      abort();
    for (size_t at = 0; at + 1 < path.size; at++)
      if (path.data[at] == '.' && path.data[at + 1] == '.' &&
          (at == 0 || path.data[at - 1] == '/') &&
          (at + 2 == path.size || path.data[at + 2] == '/'))
        abort();
    if (api__backup_find(backup, path) != &backup->files[i]) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct buffer text;
  buffer_init(&text, &account);
  buffer_append(&text, data, size);
  api__backup_seal(&text);
  buffer_append_byte(&text, 0);
  struct backup backup = {.count = 0};
  struct err err;
  err_reset(&err);
  arena_init(&backup.arena, &account, 4096);
  int code = api__backup_parse(&backup, str_of(text.data, text.size - 1), &err);
  if (code && !err.message[0]) abort();
  if (!code) check(&backup);
  api__backup_deinit(&backup);
  buffer_deinit(&text);
  mem_account_deinit(&account);
  return 0;
}
