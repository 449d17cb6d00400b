/* Walking a file of parts from its end. */
#include "store/part_walk.h"

#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "os/os.h"
#include "store/part_private.h"

void part_walk_begin(struct part_walk *walk, struct part_file *file) {
  *walk = (struct part_walk){.file = file, .offset = file->bytes};
}

static int no_footer(const struct part_walk *walk, struct err *err) {
  err_set(err, ERR_CORRUPTION, "a file of parts is damaged: no footer of a part ends here");
  err_detail(err, "%s, store 0, section footer, offset %llu", walk->file->path,
             (unsigned long long)walk->offset);
  err_hint(err, "restore this file from a backup; other files are not affected");
  err_position(err, 0, 0, (int64_t)walk->offset);
  return ERR_CORRUPTION;
}

int part_walk_next(struct part_walk *walk, struct mem_account *account, struct store_part **part,
                   bool *skipped, struct err *err) {
  struct part_footer footer;
  *part = NULL;
  *skipped = false;
  if (walk->offset < sizeof footer + sizeof(struct part_header)) return no_footer(walk, err);
  int code = part_file_read(walk->file, 0, NULL, walk->offset - sizeof footer, &footer,
                            sizeof footer, err);
  if (code) return code;
  if (memcmp(footer.magic, PART_FOOTER_MAGIC, sizeof footer.magic) != 0 ||
      checksum64(&footer, offsetof(struct part_footer, checksum)) != footer.checksum ||
      footer.image_size > walk->offset || footer.image_size % PART_ALIGNMENT ||
      footer.image_size < sizeof footer + sizeof(struct part_header))
    return no_footer(walk, err);
  walk->offset -= footer.image_size;
  code = part_open_file(walk->file, walk->offset, footer.image_size, account, part, err);
  *skipped = code && err_info(code)->class == ERR_CLASS_CORRUPTION;
  return code;
}
