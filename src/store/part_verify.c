/* Checks everything a part says against everything else it says: header, checksums of all units,
 * the order of rows, lengths, and that recomputing the metadata gives the same. */
#include "base/checksum.h"
#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"
#include "store/part_private.h"

enum { PIECE_BYTES = 64 << 10 };

struct verification {
  struct store_part *part;
  struct arena arena; /* one block's */
  uint64_t series_count, series_last;
  int64_t key_last; /* of series_last */
  int64_t key_min, key_max;
  uint64_t bytes; /* read of the block */
};

static int verify_header(struct verification *verification, struct err *err) {
  const struct store_part *part = verification->part;
  const uint8_t *bytes;
  struct part_header header;
  int code = part__bytes(part, 0, sizeof header, &verification->arena, &bytes, err);
  if (code) return code;
  memcpy(&header, bytes, sizeof header);
  if (memcmp(header.magic, PART_HEADER_MAGIC, sizeof header.magic) != 0 ||
      checksum64(&header, offsetof(struct part_header, checksum)) != header.checksum)
    return part__damaged(part, PART_BLOCKS, 0, 0, "the header's checksum does not hold", err);
  return ERR_OK;
}

static int block_damaged(const struct verification *verification, uint32_t block, const char *what,
                         struct err *err) {
  const struct store_part *part = verification->part;
  return part__damaged(part, PART_BLOCKS, 0, atomic_load(&part->blocks)->places[block].place, what,
                       err);
}

/* Order within the block's runs and against the block before; the block's key range. */
static int verify_rows(struct verification *verification, uint32_t block, const int64_t **out_keys,
                       struct err *err) {
  struct store_part *part = verification->part;
  const struct part_block *facts = &part_blocks(part)[block];
  const struct store_run *runs;
  const int64_t *run_keys, *keys;
  int code = part_read_runs(part, block, &verification->arena, &runs, &run_keys, err);
  if (!code)
    code = part_read_keys(part, block, &verification->arena, &keys, &verification->bytes, err);
  if (code) return code;
  *out_keys = keys;
  int64_t key_min = INT64_MAX, key_max = INT64_MIN;
  for (uint32_t i = 0; i < facts->runs; i++) {
    const int64_t *run = keys + runs[i].row;
    uint32_t last = runs[i].rows - 1;
    if (run[0] != run_keys[2 * i] || run[last] != run_keys[2 * i + 1])
      return block_damaged(verification, block, "a run's keys are not those of the directory", err);
    for (uint32_t j = 1; j <= last; j++)
      if (run[j] < run[j - 1])
        return block_damaged(verification, block, "keys go back within a series", err);
    if (runs[i].series < verification->series_last ||
        (runs[i].series == verification->series_last && run[0] < verification->key_last))
      return block_damaged(verification, block, "rows go back", err);
    verification->series_count += runs[i].series != verification->series_last;
    verification->series_last = runs[i].series;
    verification->key_last = run[last];
    if (run[0] < key_min) key_min = run[0];
    if (run[last] > key_max) key_max = run[last];
  }
  if (key_min != facts->key_min || key_max != facts->key_max)
    return block_damaged(verification, block, "the key range is not that of the keys", err);
  if (key_min < verification->key_min) verification->key_min = key_min;
  if (key_max > verification->key_max) verification->key_max = key_max;
  return ERR_OK;
}

static int verify_column(struct verification *verification, uint32_t block, uint32_t index,
                         const int64_t *keys, struct err *err) {
  struct store_part *part = verification->part;
  uint32_t id = part->column_ids[index];
  struct column column;
  struct column_statistics said, computed;
  int code =
      part_read_column(part, block, id, &verification->arena, &column, &verification->bytes, err);
  if (!code) code = part_statistics(part, block, id, &said, err);
  if (code) return code;
  if (column.length != part_blocks(part)[block].rows)
    return block_damaged(verification, block, "a column is not as long as the keys", err);
  column_statistics_compute(&column, keys, &computed);
  /* A column without a value has no record to say more. */
  bool equal = computed.count == 0 ? said.count == 0 : memcmp(&said, &computed, sizeof said) == 0;
  if (equal) return ERR_OK;
  return part__damaged(part, PART_COLUMN, id, part->columns[index].place.offset,
                       "statistics are not those of the values", err);
}

static int verify_facts(const struct verification *verification, struct err *err) {
  const struct store_part *part = verification->part;
  const struct part_meta *meta = &part->meta;
  const struct part_block *blocks = part_blocks(part);
  if (meta->blocks == 0) return ERR_OK;
  if (meta->series_count != verification->series_count ||
      meta->series_min != blocks[0].series_first || meta->series_max != verification->series_last ||
      meta->key_min != verification->key_min || meta->key_max != verification->key_max)
    return part__damaged(part, PART_META, 0, part->tail_offset,
                         "the facts are not those of the rows", err);
  return ERR_OK;
}

/* Hands a violation on, so that the search goes on behind it; other errors end it. */
static int settle(const struct part_verifier *verifier, int code, const struct err *finding,
                  struct err *err) {
  if (!code) return ERR_OK;
  enum err_class class = err_info(code)->class;
  if (class == ERR_CLASS_CORRUPTION || code == ERR_IO || code == ERR_END_OF_INPUT) {
    verifier->found(verifier->context, finding);
    return ERR_OK;
  }
  if (err) *err = *finding;
  return code;
}

static int verify_block(struct verification *verification, const struct part_verifier *verifier,
                        uint32_t block, bool *intact, struct err *err) {
  struct store_part *part = verification->part;
  struct err finding;
  const int64_t *keys = NULL;
  err_reset(&finding);
  arena_reset(&verification->arena);
  verification->bytes =
      part_blocks(part)[block].runs > 1 ? atomic_load(&part->blocks)->places[block].runs_size : 0;
  int code = verify_rows(verification, block, &keys, &finding);
  *intact = *intact && !code;
  code = settle(verifier, code, &finding, err);
  for (uint32_t i = 0; i < part->meta.column_count && keys && !code; i++) {
    int column = verify_column(verification, block, i, keys, &finding);
    code = settle(verifier, column, &finding, err);
  }
  if (verifier->progress && !code)
    code = verifier->progress(verifier->context, verification->bytes, err);
  return code;
}

int part_verify_each(struct store_part *part, const struct part_verifier *verifier,
                     struct err *err) {
  struct verification verification = {
      .part = part, .key_min = INT64_MAX, .key_max = INT64_MIN, .key_last = INT64_MIN};
  struct err finding;
  err_reset(&finding);
  arena_init(&verification.arena, part->account, PIECE_BYTES);
  int code = settle(verifier, verify_header(&verification, &finding), &finding, err);
  if (!code)
    code = settle(verifier, part__verify_files(part, &verification.arena, &finding), &finding, err);
  int loaded = code ? code : part_load_blocks(part, &finding);
  if (!code) code = settle(verifier, loaded, &finding, err);
  if (!code && !loaded) code = settle(verifier, part__verify_units(part, &finding), &finding, err);
  for (uint32_t i = 0; i < part->meta.column_count && !code; i++)
    code = settle(verifier, part_filter_verify(part, part->column_ids[i], &finding), &finding, err);
  bool intact = !loaded;
  for (uint32_t block = 0; block < part->meta.blocks && !loaded && !code; block++)
    code = verify_block(&verification, verifier, block, &intact, err);
  /* Facts of rows that could not be read say nothing. */
  if (!code && intact)
    code = settle(verifier, verify_facts(&verification, &finding), &finding, err);
  arena_deinit(&verification.arena);
  return code;
}

/* The first violation. */
static void keep_first(void *context, const struct err *finding) {
  struct err *first = context;
  if (!first->code) *first = *finding;
}

static int stop_early(void *context, uint64_t bytes, struct err *err) {
  const struct err *first = context;
  (void)bytes;
  if (!first->code) return ERR_OK;
  if (err) *err = *first;
  return first->code;
}

int part_verify(struct store_part *part, struct err *err) {
  struct err first;
  err_reset(&first);
  struct part_verifier verifier = {.context = &first, .found = keep_first, .progress = stop_early};
  int code = part_verify_each(part, &verifier, err);
  if (!code && first.code) {
    if (err) *err = first;
    code = first.code;
  }
  return code;
}
