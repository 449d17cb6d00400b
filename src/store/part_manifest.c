/* manifest.json: what a person, or a program without this code, may want to know of a part. It
 * follows from meta.bin to the byte, so that checking it is comparing it and repairing it is
 * writing it again. */
#include "base/buffer.h"
#include "base/err.h"
#include "store/part_private.h"
#include "store/part_writer_private.h"

static void put_key(struct buffer *out, const char *name, bool there, int64_t key) {
  if (there)
    buffer_printf(out, "  \"%s\": %lld,\n", name, (long long)key);
  else
    buffer_printf(out, "  \"%s\": null,\n", name);
}

static void put_count(struct buffer *out, const char *name, uint64_t value, const char *end) {
  buffer_printf(out, "  \"%s\": %llu%s\n", name, (unsigned long long)value, end);
}

void part_manifest_write(const struct part_meta *meta, uint64_t size, struct buffer *out) {
  buffer_append_text(out, "{\n");
  put_count(out, "id", meta->id >> 20, ",");
  put_count(out, "compressedSizeBytes", size, ",");
  put_count(out, "uncompressedSizeBytes", meta->bytes_plain, ",");
  put_count(out, "totalCount", meta->rows, ",");
  put_count(out, "blocksCount", meta->blocks, ",");
  put_key(out, "minKey", meta->rows > 0, meta->key_min);
  put_key(out, "maxKey", meta->rows > 0, meta->key_max);
  put_count(out, "minCommit", meta->commit_min, ",");
  put_count(out, "maxCommit", meta->commit_max, "");
  buffer_append_text(out, "}\n");
}

int part_manifest_text(const struct store_part *part, struct buffer *out, struct err *err) {
  part_manifest_write(&part->meta, part->size, out);
  return buffer_check(out, err);
}
