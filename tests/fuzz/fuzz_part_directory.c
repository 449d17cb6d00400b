/* A part's directory of any bytes: opening, reading and verifying it gives an error or rows, never
 * more.
 *
 * The first byte of the input says how far checksums are made to hold (0 none, 1 footer and tail, 2
 * chunks, sections and units too) and, divided by 3, how the rest, a column-major image, becomes
 * files: part.bin; files cut at the bounds that its section directory names; files cut anywhere. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"
#include "os/sim.h"
#include "part_seal.h"
#include "store/part.h"
#include "store/part_names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECTIONS_MAX = 64, BLOCKS_MAX = 64 };

struct image {
  uint8_t *bytes;
  size_t size;
  struct part_section *sections; /* in the bytes */
  uint32_t section_count;
};

/* Finds the section directory; no sections if there is none. */
static void find_sections(struct image *image) {
  struct part_footer footer;
  size_t end = image->size - sizeof footer;
  memcpy(&footer, image->bytes + end, sizeof footer);
  uint64_t room = end - seal_tail_start(image->bytes, image->size);
  uint64_t count = footer.section_count < SECTIONS_MAX ? footer.section_count : SECTIONS_MAX;
  if ((uint64_t)footer.section_count * sizeof(struct part_section) > room) count = 0;
  image->section_count = (uint32_t)count;
  image->sections = (struct part_section *)(void *)(image->bytes + end -
                                                    footer.section_count *
                                                        (count ? sizeof(struct part_section) : 0));
}

static bool inside(const struct image *image, uint64_t offset, uint64_t size) {
  return offset <= image->size && size <= image->size - offset;
}

/* A copy: sealing may write over the section directory, if that lies where it should not. */
static bool find(const struct image *image, unsigned kind, uint32_t column,
                 struct part_section *found) {
  for (uint32_t i = 0; i < image->section_count; i++) {
    *found = image->sections[i];
    if (found->kind == kind && found->column == column && inside(image, found->offset, found->size))
      return true;
  }
  return false;
}

static void seal_blocks(struct image *image, uint8_t *records, const struct part_chunk *chunk) {
  struct part_section keys;
  if (!find(image, PART_KEYS, 0, &keys)) return;
  struct reader reader = reader_of(records, chunk->size);
  struct part_primary record, previous;
  uint64_t place = chunk->place;
  for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
    if (!part_primary_read(&reader, i ? &previous : NULL, &record)) return;
    if (place > keys.size || record.size > keys.size - place) return;
    uint8_t *end = records + (reader.at - records), *unit = image->bytes + keys.offset + place;
    store_u64(end - 8, checksum64(unit + record.runs_size, record.keys_size));
    if (record.runs > 1) store_u64(end - 16, checksum64(unit, record.runs_size));
    place += record.size;
    previous = record;
  }
}

static void seal_column(struct image *image, uint8_t *records, const struct part_chunk *chunk,
                        uint32_t column) {
  struct part_section values, meta;
  if (!find(image, part_values_kind(column), column, &values) || !find(image, PART_META, 0, &meta))
    return;
  struct type type = seal_type_of(image->bytes + meta.offset, meta.size, column);
  struct reader reader = reader_of(records, chunk->size);
  struct part_record_block said = {.rows = UINT32_MAX};
  for (uint32_t i = 0; i < BLOCKS_MAX; i++) {
    struct part_record record;
    struct reader start = reader;
    if (!part_record_skip(&reader, type)) return;
    if (!part_record_read(&start, type, &said, false, &record) || record.size == 0) continue;
    if (record.place > values.size || record.size > values.size - record.place) continue;
    uint8_t *end = records + (start.at - records);
    store_u64(end - 8, seal_unit(image->bytes + values.offset + record.place, &record));
  }
}

static void seal_section(struct image *image, uint32_t index) {
  const struct part_section section = image->sections[index];
  if (!inside(image, section.offset, section.size)) return;
  uint8_t *bytes = image->bytes + section.offset;
  if (section.form == PART_WHOLE) image->sections[index].checksum = checksum64(bytes, section.size);
  for (uint64_t at = 0; section.form == PART_CHUNKED && at < section.size;) {
    struct part_chunk chunk;
    if (section.size - at < sizeof chunk) return;
    memcpy(&chunk, bytes + at, sizeof chunk);
    if (chunk.size > section.size - at - sizeof chunk) return;
    if (section.kind == PART_PRIMARY) seal_blocks(image, bytes + at + sizeof chunk, &chunk);
    if (section.kind == PART_COLUMN)
      seal_column(image, bytes + at + sizeof chunk, &chunk, section.column);
    store_u64(bytes + at, checksum64(bytes + at + 8, sizeof chunk - 8 + chunk.size));
    at += part_align(sizeof chunk + chunk.size);
  }
}

static void set_layout(struct image *image, enum part_layout layout) {
  struct part_section meta;
  if (find(image, PART_META, 0, &meta) && meta.size >= PART_META_SIZE_MIN)
    store_u32(image->bytes + meta.offset + offsetof(struct part_meta, layout), layout);
}

/* ---- files ---- */

static struct os *os;

static void write_file(const char *name, const uint8_t *bytes, size_t size) {
  char path[128];
  struct os_file *file;
  snprintf(path, sizeof path, "/0000000000000001/%s", name);
  if (os_file_open(os, path, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, NULL)) abort();
  if (size && os_file_write(file, 0, bytes, size, NULL)) abort();
  os_file_close(file);
}

/* Cuts the image where its sections say; a column's stem is that of its id. */
static void write_sections(const struct image *image) {
  uint64_t order = PART_ORDER_PRIMARY, from = 0;
  char name[PART_FILE_NAME_SIZE], stem[PART_STEM_SIZE] = "";
  for (uint32_t i = 0; i <= image->section_count; i++) {
    const struct part_section *section = &image->sections[i];
    bool last = i == image->section_count;
    uint64_t next = last ? 0 : part_file_order(section->kind, section->column, i), to = image->size;
    if (next == order) continue;
    if (!last) to = section->offset;
    part_order_name(order, stem, name);
    if (to >= from && to <= image->size) write_file(name, image->bytes + from, to - from);
    if (last || to < from || to > image->size) return;
    from = to;
    order = next;
    part_stem((struct str){"", 0}, section->column, false, stem);
  }
}

static void write_anywhere(const struct image *image, uint8_t seed) {
  static const char *const names[] = {"primary.bin", "keys.bin",  "data.bin",
                                      "tag_c1.td",   "tag_c1.tm", "meta.bin"};
  size_t from = 0, count = sizeof names / sizeof names[0];
  for (size_t i = 0; i < count; i++) {
    size_t to = i + 1 < count ? image->size * (i + 1) * (seed % 7 + 1) / (count * 7) : image->size;
    if (to < from) to = from;
    write_file(names[i], image->bytes + from, to - from);
    from = to;
  }
}

/* ---- reading ---- */

static void read_blocks(struct store_part *part, struct mem_account *account) {
  const uint32_t *ids;
  const struct type *types;
  struct arena arena;
  uint32_t columns = part_columns(part, &ids, &types);
  arena_init(&arena, account, 4096);
  for (uint32_t block = 0; block < part_block_count(part) && block < BLOCKS_MAX; block++) {
    const struct store_run *runs;
    const int64_t *run_keys, *keys;
    uint32_t rows = part_blocks(part)[block].rows;
    arena_reset(&arena);
    part_read_runs(part, block, &arena, &runs, &run_keys, NULL);
    part_read_keys(part, block, &arena, &keys, NULL, NULL);
    for (uint32_t i = 0; i < columns; i++) {
      struct column column;
      struct column_statistics statistics;
      if (part_read_column(part, block, ids[i], &arena, &column, NULL, NULL) == ERR_OK)
        column_statistics_compute(&column, NULL, &statistics); /* touches every value */
      part_read_column_rows(part, block, ids[i], rows / 2, 1, &arena, &column, NULL, NULL);
      part_statistics(part, block, ids[i], &statistics, NULL);
    }
  }
  arena_deinit(&arena);
}

static void read_directory(void *context) {
  struct mem_account *account = context;
  struct part_handles *handles;
  struct part_file *file;
  struct store_part *part;
  if (part_handles_create(os, account, 8, &handles, NULL)) abort();
  if (part_directory_open(handles, account, "", 1, &file, NULL) == ERR_OK) {
    if (part_open_directory(file, account, &part, NULL) == ERR_OK) {
      const uint32_t *ids;
      const struct type *types;
      for (uint32_t i = 0; i < store_part_columns(part, &ids, &types); i++)
        store_part_column_name(part, i);
      if (part_load_blocks(part, NULL) == ERR_OK) read_blocks(part, account);
      part_verify(part, NULL);
      part_release(part);
    }
    part_file_release(file);
  }
  if (part_directory_remove(os, "/0000000000000001", NULL)) abort();
  part_handles_destroy(handles);
}

struct input {
  struct mem_account account;
  struct image image;
  uint8_t mode;
};

static void run_input(void *context) {
  struct input *input = context;
  struct image *image = &input->image;
  bool whole = image->size >= sizeof(struct part_header) + sizeof(struct part_footer);
  unsigned cut = input->mode / 3 % 3;
  if (whole) find_sections(image);
  if (whole && input->mode % 3) {
    set_layout(image, cut ? PART_WIDE : PART_COMPACT);
    for (uint32_t i = 0; i < image->section_count && input->mode % 3 == 2; i++)
      seal_section(image, i);
    seal_end(image->bytes, image->size);
  }
  if (os_dir_create(os, "/0000000000000001", NULL)) abort();
  if (cut == 0)
    write_file("part.bin", image->bytes, image->size);
  else if (cut == 1 && whole)
    write_sections(image);
  else
    write_anywhere(image, input->mode);
  read_directory(&input->account);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct input input = {.mode = data[0], .image = {.size = size - 1}};
  struct os_sim_options options = {.seed = 1};
  mem_account_init(&input.account, "fuzz", NULL, INT64_C(256) << 20);
  /* Sections stand at multiples of 8 from the end in a good image; else nowhere in particular. */
  size_t slack = (8 - input.image.size % 8) % 8;
  uint8_t *room = malloc(input.image.size + 16);
  if (!room || os_sim_create(&options, &os, NULL)) abort();
  input.image.bytes = room + slack;
  memcpy(input.image.bytes, data + 1, input.image.size);
  os_sim_run(os, run_input, &input);
  os_destroy(os);
  free(room);
  mem_account_deinit(&input.account);
  return 0;
}
