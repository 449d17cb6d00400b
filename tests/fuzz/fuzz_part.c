/* A part of any bytes: opening, reading and verifying it gives an error or rows, never more.
 *
 * The first byte of the input says how far checksums are made to hold, so that what stands behind
 * them is reached: 0 none, 1 footer and tail, 2 those of blocks and columns too (where their
 * metadata is in the tail). The rest is the image. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "part_seal.h"
#include "store/part.h"
#include "store/part_metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The section's bytes in the tail, if they are there. */
static uint8_t *find_section(uint8_t *image, size_t size, const struct part_section *section) {
  bool inside = section->form == PART_IN_TAIL && section->offset < size &&
                section->size <= size - section->offset;
  return inside ? image + section->offset : NULL;
}

enum { BLOCKS_MAX = 64 };
struct block_place {
  uint64_t place;
  uint32_t size;
};

/* Makes the checksums of runs and keys hold; returns the number of blocks it understood. */
static uint32_t seal_blocks(uint8_t *image, size_t size, const struct part_section *section,
                            struct block_place *blocks) {
  uint8_t *bytes = find_section(image, size, section);
  if (!bytes) return 0;
  struct reader reader = reader_of(bytes, section->size);
  struct part_primary record, previous;
  uint64_t place = sizeof(struct part_header);
  uint32_t count = 0;
  while (count < BLOCKS_MAX && part_primary_read(&reader, count ? &previous : NULL, &record)) {
    if (place > size || record.size > size - place) break;
    uint8_t *end = bytes + (reader.at - bytes);
    store_u64(end - 8, checksum64(image + place + record.runs_size, record.keys_size));
    if (record.runs > 1) store_u64(end - 16, checksum64(image + place, record.runs_size));
    blocks[count++] = (struct block_place){place, record.size};
    place += record.size;
    previous = record;
  }
  return count;
}

static void seal_column(uint8_t *image, size_t size, const struct part_section *section,
                        struct type type, const struct block_place *blocks, uint32_t count) {
  uint8_t *bytes = find_section(image, size, section);
  if (!bytes) return;
  struct reader reader = reader_of(bytes, section->size);
  struct part_record_block said = {.rows = UINT32_MAX};
  for (uint32_t i = 0; i < count; i++) {
    struct part_record record;
    struct reader start = reader;
    if (!part_record_skip(&reader, type)) return;
    if (!part_record_read(&start, type, &said, false, &record) || record.size == 0) continue;
    if (record.place > blocks[i].size || record.size > blocks[i].size - record.place) continue;
    uint8_t *end = bytes + (start.at - bytes);
    store_u64(end - 8, seal_unit(image + blocks[i].place + record.place, &record));
  }
}

static void seal_units(uint8_t *image, size_t size) {
  struct part_footer footer;
  size_t end = size - sizeof footer;
  memcpy(&footer, image + end, sizeof footer);
  uint64_t tail = seal_tail_start(image, size);
  uint64_t directory = (uint64_t)footer.section_count * sizeof(struct part_section);
  if (directory > end - tail) return;
  struct block_place blocks[BLOCKS_MAX];
  uint32_t count = 0;
  const uint8_t *meta = NULL;
  uint64_t meta_size = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t at = end - directory; at < end; at += sizeof(struct part_section)) {
      struct part_section section;
      memcpy(&section, image + at, sizeof section);
      if (!pass && section.kind == PART_PRIMARY) count = seal_blocks(image, size, &section, blocks);
      if (!pass && section.kind == PART_META && (meta = find_section(image, size, &section)))
        meta_size = section.size;
      if (pass && section.kind == PART_COLUMN && meta)
        seal_column(image, size, &section, seal_type_of(meta, meta_size, section.column), blocks,
                    count);
    }
  }
}

static void read_all(struct store_part *part, struct mem_account *account) {
  struct arena arena;
  arena_init(&arena, account, 4096);
  const uint32_t *ids;
  const struct type *types;
  uint32_t columns = part_columns(part, &ids, &types);
  if (part_load_blocks(part, NULL) == 0) {
    for (uint32_t block = 0; block < part_block_count(part) && block < BLOCKS_MAX; block++) {
      const struct store_run *runs;
      const int64_t *run_keys, *keys;
      struct column column;
      struct column_statistics statistics;
      arena_reset(&arena);
      part_read_runs(part, block, &arena, &runs, NULL, NULL);
      part_read_runs(part, block, &arena, &runs, &run_keys, NULL);
      part_read_keys(part, block, &arena, &keys, NULL, NULL);
      for (uint32_t i = 0; i < columns; i++) {
        if (part_read_column(part, block, ids[i], &arena, &column, NULL, NULL) == 0)
          column_statistics_compute(&column, NULL, &statistics); /* touches every value */
        uint32_t rows = part_blocks(part)[block].rows;
        part_read_column_rows(part, block, ids[i], rows / 2, 1, &arena, &column, NULL, NULL);
        part_statistics(part, block, ids[i], &statistics, NULL);
      }
    }
  }
  part_verify(part, NULL);
  arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, INT64_C(256) << 20);
  size_t image_size = size - 1;
  struct part_memory memory = {.references = 1,
                               .account = &account,
                               .data = mem_alloc(&account, image_size ? image_size : 1),
                               .size = image_size,
                               .capacity = image_size ? image_size : 1};
  if (image_size) memcpy(memory.data, data + 1, image_size);
  if (image_size >= sizeof(struct part_header) + sizeof(struct part_footer)) {
    if (data[0] % 3 == 2) seal_units(memory.data, image_size);
    if (data[0] % 3 > 0) seal_end(memory.data, image_size);
  }
  struct store_part *part;
  if (part_open_memory(&memory, 0, image_size, &account, 0, &part, NULL) == 0) {
    read_all(part, &account);
    part_release(part);
  }
  mem_free(&account, memory.data, memory.capacity);
  mem_account_deinit(&account);
  return 0;
}
