/* The bytes of a damaged part: its image in memory, where single bits are put right.
 *
 * A part that is a directory of files is put together again first. Its end says which files there
 * are, so meta.bin comes first and is mended before the others are read. A file that is missing or
 * too short leaves zeros, which then cost what they stand for, and nothing else. */
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "store/part_frames.h"
#include "store/repair_private.h"

/* ---- places ---- */

void repair__place(const struct salvage *salvage, uint64_t offset, char file[REPAIR_FILE_SIZE],
                   int64_t *at) {
  const struct store_part *part = salvage->part;
  if (part && part->extents) {
    const struct part_extent *extent = part__extent(part, offset);
    char name[PART_FILE_NAME_SIZE];
    part__extent_name(part, extent, name);
    snprintf(file, REPAIR_FILE_SIZE, "%.40s/%.200s", salvage->file, name);
    *at = (int64_t)(offset - extent->offset);
    return;
  }
  bool compact = part && part->column_major && salvage->repair->form->directories;
  snprintf(file, REPAIR_FILE_SIZE, "%s%s", salvage->file, compact ? "/part.bin" : "");
  *at = (int64_t)(salvage->suspect->named.offset + offset);
}

static void mended(struct salvage *salvage, uint64_t offset, const char *what) {
  char file[REPAIR_FILE_SIZE];
  int64_t at;
  repair__place(salvage, offset, file, &at);
  salvage->repair->figures->units_mended++;
  repair__say(salvage->repair, STORE_FINDING_NOTE, file, at, "",
              "%s: one bit had flipped; it is put right by its checksum", what);
}

/* ---- the image ---- */

enum { IMAGE_BYTES_MAX = 1 << 30 };

static int reserve_image(struct salvage *salvage, uint64_t size) {
  struct mem_account *account = salvage->repair->options->account;
  struct part_memory *memory = mem_alloc_zero(account, sizeof *memory);
  uint8_t *data = memory ? mem_alloc_zero(account, (size_t)size) : NULL;
  if (!data) {
    mem_free(account, memory, memory ? sizeof *memory : 0);
    return mem_refused(account, (size_t)size, salvage->err);
  }
  *memory = (struct part_memory){.account = account, .data = data};
  memory->references = 1;
  memory->size = memory->capacity = (size_t)size;
  salvage->memory = memory;
  return ERR_OK;
}

/* What is read before the part can be opened: all of it, or a wide part's meta.bin at the image's
 * end. What cannot be read is left to the part's own reading, which says what is wrong. */
static int load_image(struct salvage *salvage, struct part_file *file) {
  const struct manifest_part *named = &salvage->suspect->named;
  uint64_t size = named->size, from = file->layout == PART_IMAGES ? named->offset : 0;
  uint64_t have = file->layout == PART_WIDE ? file->bytes : size;
  static const char *const names[] = {
      [PART_IMAGES] = NULL, [PART_COMPACT] = "part.bin", [PART_WIDE] = "meta.bin"};
  if (size > IMAGE_BYTES_MAX || have > size || from + have > file->bytes) return ERR_OK;
  int code = reserve_image(salvage, size);
  if (!code)
    code = part_file_read(file, 0, names[file->layout], from, salvage->memory->data + (size - have),
                          (size_t)have, salvage->err);
  if (!code || !salvage->memory) return code;
  part_memory_release(salvage->memory);
  salvage->memory = NULL;
  return code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT ? code : ERR_OK;
}

/* The files of a wide part that stand before its meta.bin. */
static int load_files(struct salvage *salvage, struct part_file *file) {
  struct store_part *part = salvage->part;
  int code = part__find_files(part, salvage->err);
  for (uint32_t i = 0; i + 1 < part->extent_count && !code; i++) {
    const struct part_extent *extent = &part->extents[i];
    uint64_t size = extent[1].offset - extent->offset, have = 0;
    char name[PART_FILE_NAME_SIZE];
    struct err finding;
    part__extent_name(part, extent, name);
    int found = part_file_size(file, i + 1, name, &have, &finding);
    if (have > size) have = size;
    if (!found && have)
      found = part_file_read(file, i + 1, name, 0, salvage->memory->data + extent->offset,
                             (size_t)have, &finding);
    if (found == ERR_NO_MEMORY || found == ERR_MEMORY_LIMIT) {
      *salvage->err = finding;
      code = found;
    }
  }
  return code;
}

/* Footer and tail, which opening needs. */
static void mend_end(struct salvage *salvage) {
  struct part_footer footer;
  uint8_t *end = salvage->memory->data + salvage->memory->size - sizeof footer;
  if (salvage->memory->size < sizeof footer + sizeof(struct part_header)) return;
  memcpy(&footer, end, sizeof footer);
  bool magic = !memcmp(footer.magic, PART_FOOTER_MAGIC, sizeof footer.magic);
  if (!magic) memcpy(end + offsetof(struct part_footer, magic), PART_FOOTER_MAGIC, 8);
  memcpy(&footer, end, sizeof footer);
  if (checksum64(end, offsetof(struct part_footer, checksum)) != footer.checksum &&
      repair__bits(end, offsetof(struct part_footer, checksum), footer.checksum)) {
    mended(salvage, salvage->memory->size - sizeof footer, "the footer");
    memcpy(&footer, end, sizeof footer);
  } else {
    /* Or the bit is in the checksum itself. */
    uint64_t is = checksum64(end, offsetof(struct part_footer, checksum));
    if (__builtin_popcountll(is ^ footer.checksum) == 1) {
      memcpy(end + offsetof(struct part_footer, checksum), &is, sizeof is);
      mended(salvage, salvage->memory->size - sizeof footer, "the footer");
    }
  }
  if (footer.tail_size > salvage->memory->size - sizeof footer) return;
  uint8_t *tail = end - footer.tail_size;
  if (checksum64(tail, footer.tail_size) != footer.tail_checksum &&
      repair__bits(tail, footer.tail_size, footer.tail_checksum))
    mended(salvage, (uint64_t)(tail - salvage->memory->data), "the part's metadata");
}

int repair__open_part(struct salvage *salvage) {
  struct repair *repair = salvage->repair;
  const struct manifest_part *named = &salvage->suspect->named;
  struct part_file *file = NULL;
  int code = shard__file_open_in(repair->form, repair->handles, repair->options->account,
                                 repair->directory, named->id >> 20, &file, salvage->err);
  if (!code) code = load_image(salvage, file);
  if (!code && salvage->memory) {
    mend_end(salvage);
    code = part_open_memory(salvage->memory, 0, salvage->memory->size, repair->options->account, 0,
                            &salvage->part, salvage->err);
    if (!code && file->layout == PART_WIDE) code = load_files(salvage, file);
  } else if (!code) {
    code = shard__part_open_in(repair->form, file, named->offset, named->size,
                               repair->options->account, &salvage->part, salvage->err);
  }
  part_file_release(file);
  return code;
}

/* ---- metadata ---- */

/* One chunk of at most `room` bytes, its checksum in front. The bit may be in that, or in its size.
 * Returns its size, 0 when it cannot be put right. */
static uint64_t mend_chunk(uint8_t *start, uint64_t room, bool *changed) {
  struct part_chunk chunk;
  memcpy(&chunk, start, sizeof chunk);
  uint64_t size = sizeof chunk + chunk.size;
  *changed = false;
  if (size <= room) {
    uint64_t is = checksum64(start + 8, size - 8);
    if (is == chunk.checksum) return size;
    *changed = true;
    if (__builtin_popcountll(is ^ chunk.checksum) == 1) {
      memcpy(start, &is, sizeof is);
      return size;
    }
    if (repair__bits(start + 8, size - 8, chunk.checksum)) return size;
  }
  *changed = true;
  for (int bit = 0; bit < 32; bit++) {
    uint32_t other = chunk.size ^ (1u << bit);
    size = sizeof chunk + (uint64_t)other;
    if (size > room) continue;
    memcpy(start + offsetof(struct part_chunk, size), &other, sizeof other);
    if (checksum64(start + 8, size - 8) == chunk.checksum) return size;
  }
  memcpy(start, &chunk, sizeof chunk);
  return 0;
}

static void mend_chunks(struct salvage *salvage, const struct part_place *place) {
  uint64_t at = 0, size;
  if (place->form != PART_CHUNKED) return;
  while (at < place->size && place->size - at >= sizeof(struct part_chunk)) {
    bool changed;
    size = mend_chunk(salvage->memory->data + place->offset + at, place->size - at, &changed);
    if (!size) return;
    if (changed) mended(salvage, place->offset + at, "a chunk of metadata");
    at += part_align(size);
  }
}

void repair__mend_metadata(struct salvage *salvage) {
  struct store_part *part = salvage->part;
  if (!salvage->memory) return;
  mend_chunks(salvage, &part->primary);
  for (uint32_t i = 0; i < part->meta.column_count; i++)
    mend_chunks(salvage, &part->columns[i].place);
}

/* ---- units ---- */

bool repair__mend_unit(struct salvage *salvage, uint64_t offset, uint64_t size, uint64_t checksum,
                       const char *what) {
  if (!salvage->memory || !size || offset > salvage->memory->size ||
      size > salvage->memory->size - offset)
    return false;
  uint8_t *bytes = salvage->memory->data + offset;
  if (checksum64(bytes, size) == checksum || !repair__bits(bytes, size, checksum)) return false;
  mended(salvage, offset, what);
  return true;
}

bool repair__mend_payloads(struct salvage *salvage, uint64_t offset,
                           const struct part_record *record, uint32_t rows) {
  if (!salvage->memory || offset > salvage->memory->size ||
      record->size > salvage->memory->size - offset || record->head_size > record->size)
    return false;
  const uint8_t *head = salvage->memory->data + offset;
  bool any = repair__mend_unit(salvage, offset, record->head_size, record->checksum,
                               "the head of payloads");
  if (checksum64(head, record->head_size) != record->checksum ||
      !part_frames_check(head, record->head_size, rows, record->size))
    return any;
  struct part_frames facts;
  memcpy(&facts, head, sizeof facts);
  uint64_t at = offset + facts.size;
  for (uint32_t i = 0; i < facts.count; i++) {
    struct part_frame frame;
    memcpy(&frame, head + sizeof facts + i * sizeof frame, sizeof frame);
    any |= repair__mend_unit(salvage, at, frame.stored, frame.checksum, "a frame of payloads");
    at += frame.stored;
  }
  return any;
}
