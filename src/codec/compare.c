/* Every way to its end, where the encoder stops early: no sample decides, and no hint is used. What
 * is told is exact, since images are made and measured. */
#include "codec/compare.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/nested.h"
#include "codec/planes.h"
#include "columnar/bits.h"

struct comparison {
  const struct column *column;
  const struct codec_loops *loops;
  enum codec_level level;
  struct mem_account *account;
  size_t fixed; /* bytes of header and validity */
  struct codec_trial *trials;
  size_t count;
};

static void add(struct comparison *comparison, uint8_t codec, size_t payload) {
  struct codec_trial *trial = &comparison->trials[comparison->count++];
  *trial = (struct codec_trial){codec, (uint32_t)codec__align(comparison->fixed + payload)};
}

static int by_size(const void *a, const void *b) {
  const struct codec_trial *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
  return (x->codec > y->codec) - (x->codec < y->codec);
}

static size_t validity_size(const struct column *column) {
  if (!column->validity || column->null_count == 0) return 0;
  size_t runs = codec__run_count(column->validity, (size_t)column->length);
  size_t bits = bit_words(column->length) * 8, listed = codec__align(2 + runs * 2);
  return listed < bits ? listed : bits;
}

/* ---- numbers ---- */

/* Memory for one image and what making it takes. */
struct room {
  uint64_t *values, *integers;
  uint16_t *positions;
  void *scratch;
  uint8_t *image;
};

static void try_integers(struct comparison *comparison, const struct room *room, uint8_t codec,
                         uint8_t name, const uint64_t *x, size_t count, uint64_t flip,
                         unsigned exponent, size_t exceptions, size_t exceptions_size) {
  struct codec_writer writer = {room->image, room->image};
  struct integer_plan plan;
  unsigned effort = PLAN_FULL | PLAN_ONLY | (unsigned)codec << PLAN_CODEC_SHIFT;
  if (comparison->level >= CODEC_COLD) effort |= PLAN_COLD;
  codec__plan_integers(comparison->loops, x, count, flip, effort, NULL, &plan);
  if (plan.codec != codec || plan.size > count * 16) return;
  codec__put_integers(&plan, (uint8_t)exponent, (uint16_t)exceptions, NULL, &writer);
  add(comparison, name, (size_t)(writer.at - writer.start) + exceptions_size);
}

static void try_floats(struct comparison *comparison, const struct room *room, size_t count) {
  const struct codec_loops *loops = comparison->loops;
  unsigned exponent;
  size_t exceptions;
  if (codec__decimals_of(loops, room->values, count, room->integers, room->positions, &exponent,
                         &exceptions)) {
    bool near;
    size_t size = codec__exceptions_size(room->values, room->integers, room->positions, exceptions,
                                         exponent, &near);
    try_integers(comparison, room, CODEC_FOR, near ? CODEC_NEAR_FOR : CODEC_DECIMAL_FOR,
                 room->integers, count, FLIP_SIGNED, exponent, exceptions, size);
    try_integers(comparison, room, CODEC_DELTA, near ? CODEC_NEAR_DELTA : CODEC_DECIMAL_DELTA,
                 room->integers, count, FLIP_SIGNED, exponent, exceptions, size);
  }
  loops->order(room->values, count, room->integers);
  for (uint8_t codec = CODEC_FOR; codec <= CODEC_DELTA2; codec++)
    try_integers(comparison, room, codec, codec, room->integers, count, FLIP_UNSIGNED, 0, 0, 0);
  struct split_plan split = {.size = SIZE_MAX};
  codec__plan_split(loops, room->values, count, &split);
  add(comparison, CODEC_SPLIT, split.size);
}

static void try_nested(struct comparison *comparison, const struct room *room, size_t count) {
  const struct codec_loops *loops = comparison->loops;
  struct type type = comparison->column->type;
  struct codec_writer writer = {room->image, room->image};
  if (codec__put_repeats(loops, type, room->values, count, comparison->level, SIZE_MAX,
                         room->scratch, &writer))
    add(comparison, CODEC_REPEATS, (size_t)(writer.at - writer.start));
  writer.at = writer.start;
  if (count >= NUMBERS_ROWS_MIN &&
      codec__put_numbers(loops, type, room->values, count, comparison->level, SIZE_MAX,
                         room->scratch, &writer))
    add(comparison, CODEC_NUMBERS, (size_t)(writer.at - writer.start));
  writer.at = writer.start;
  if (comparison->level == CODEC_SMALLEST &&
      codec__put_planes(loops, type, room->values, count, SIZE_MAX, comparison->account, &writer))
    add(comparison, CODEC_PLANES, (size_t)(writer.at - writer.start));
}

static size_t squeeze(const struct column *column, uint64_t *values) {
  size_t count = 0;
  for (int64_t row = 0; row < column->length; row++)
    if (column_is_valid(column, row)) memcpy(&values[count++], column->u64 + row, 8);
  return count;
}

static int compare_numbers(struct comparison *comparison, struct err *err) {
  const struct column *column = comparison->column;
  size_t rows = (size_t)column->length, scratch = codec__numbers_scratch();
  if (scratch < codec__repeats_scratch()) scratch = codec__repeats_scratch();
  size_t image = rows * 32 + 65536, size = rows * 18 + scratch + image + 16;
  uint64_t *memory = mem_alloc(comparison->account, size);
  if (!memory) return mem_refused(comparison->account, size, err);
  uint8_t *behind = (uint8_t *)(memory + 2 * rows);
  struct room room = {.values = memory,
                      .integers = memory + rows,
                      .positions = (uint16_t *)(void *)behind,
                      .scratch = (void *)codec__align((uintptr_t)(behind + rows * 2))};
  room.image = (uint8_t *)codec__align((uintptr_t)room.scratch + scratch);
  size_t count = squeeze(column, room.values);
  if (codec__is_constant(room.values, count)) {
    add(comparison, CODEC_CONSTANT, 8);
  } else if (column->type.physical == PHYSICAL_FLOAT64) {
    try_floats(comparison, &room, count);
  } else {
    uint64_t flip = column->type.physical == PHYSICAL_INT64 ? FLIP_SIGNED : FLIP_UNSIGNED;
    for (uint8_t codec = CODEC_FOR; codec <= CODEC_DELTA2; codec++)
      try_integers(comparison, &room, codec, codec, room.values, count, flip, 0, 0, 0);
    try_integers(comparison, &room, CODEC_LINE, CODEC_LINE, room.values, count, flip, 0, 0, 0);
  }
  if (count) add(comparison, CODEC_RAW, count * 8);
  if (count > 1) try_nested(comparison, &room, count);
  mem_free(comparison->account, memory, size);
  return ERR_OK;
}

/* ---- strings, booleans ---- */

static int compare_texts(struct comparison *comparison, struct err *err) {
  static const uint8_t ways[] = {CODEC_RAW,   CODEC_ZSTD,       CODEC_FSST,
                                 CODEC_FRONT, CODEC_DICTIONARY, CODEC_WORDS};
  const struct column *column = comparison->column;
  struct text_job job = {.loops = comparison->loops, .level = comparison->level};
  size_t texts_size = (size_t)column->length * sizeof(struct str);
  struct str *texts = mem_alloc(comparison->account, texts_size);
  if (!texts) return mem_refused(comparison->account, texts_size, err);
  bool constant = true;
  for (int64_t row = 0; row < column->length; row++) {
    if (!column_is_valid(column, row)) continue;
    texts[job.count] = column_str(column, row);
    constant = constant && (job.count == 0 || str_equal(texts[job.count], texts[0]));
    job.total += texts[job.count++].size;
  }
  job.texts = texts;
  if (constant) add(comparison, CODEC_CONSTANT, 8 + (job.count ? texts[0].size : 0));
  struct buffer out;
  buffer_init(&out, comparison->account);
  int code = ERR_OK;
  for (size_t i = 0; i < sizeof ways && job.count && !code; i++) {
    size_t size;
    code = codec__put_texts_as(&job, ways[i], &out, &size, err);
    if (!code && size != SIZE_MAX) add(comparison, ways[i], size);
  }
  buffer_deinit(&out);
  mem_free(comparison->account, texts, texts_size);
  return code;
}

static void compare_booleans(struct comparison *comparison) {
  const struct column *column = comparison->column;
  uint64_t dense[CODEC_ROWS_MAX / 64] = {0};
  int64_t count = 0, set = 0;
  for (int64_t row = 0; row < column->length; row++) {
    if (!column_is_valid(column, row)) continue;
    if (bit_get(column->bits, row)) bit_set(dense, count);
    set += bit_get(column->bits, row);
    count++;
  }
  if (set == 0 || set == count) add(comparison, CODEC_CONSTANT, 8);
  if (!count) return;
  add(comparison, CODEC_BITS, bit_words(count) * 8);
  size_t runs = codec__run_count(dense, (size_t)count);
  if (runs < UINT16_MAX) add(comparison, CODEC_RUNS, 2 + runs * 2);
}

int codec_compare(const struct column *column, enum codec_level level, struct mem_account *account,
                  struct codec_trial trials[CODEC_TRIALS_MAX], size_t *count, struct err *err) {
  struct comparison comparison = {.column = column,
                                  .loops = codec__loops(),
                                  .level = level,
                                  .account = account,
                                  .fixed = HEADER_SIZE + validity_size(column),
                                  .trials = trials};
  int code = ERR_OK;
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    compare_booleans(&comparison);
    break;
  case PHYSICAL_INT64:
  case PHYSICAL_UINT64:
  case PHYSICAL_FLOAT64:
    code = compare_numbers(&comparison, err);
    break;
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES:
    code = compare_texts(&comparison, err);
    break;
  default:
    code = err_set(err, ERR_UNSUPPORTED, "columns of this type are not stored");
  }
  qsort(trials, comparison.count, sizeof *trials, by_size);
  *count = comparison.count;
  return code;
}
