/* Numbers of which few differ: the distinct ones in ascending order, which are an image of their
 * own, and for each value its place among them, which is another. So the distinct values are
 * differences or decimals where those are small, and places that follow one another are small
 * differences too. */
#include <math.h>

#include "codec/nested.h"

#include "base/err.h"
#include "kernel/sort.h"

enum {
  SLOTS = 4 * NUMBERS_DISTINCT_MAX,
  SAMPLES = 256,
  SAMPLE_SLOTS = 1024,
  SAMPLE_DISTINCT_MAX = 250,
};

/* Memory that is reserved by the caller. */
struct scratch {
  uint64_t distinct[NUMBERS_DISTINCT_MAX]; /* in the order of values, once sorted */
  uint64_t spare[NUMBERS_DISTINCT_MAX];
  uint64_t places[CODEC_ROWS_MAX];
  uint16_t slots[SLOTS]; /* 1 + an index into distinct; 0: free */
  uint16_t ranks[NUMBERS_DISTINCT_MAX];
  uint8_t floats[NUMBERS_DISTINCT_MAX * 18 + 64]; /* codec__float_scratch */
};

size_t codec__numbers_scratch(void) { return sizeof(struct scratch) + 8; }

/* The low bits of many floats are 0, so both halves are mixed, and the highest bits taken. */
static size_t slot_of(uint64_t value, size_t slots) {
  return (size_t)(((value ^ value >> 32) * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (slots - 1);
}

/* Whether a sample (of at least NUMBERS_ROWS_MIN values) has enough that are equal. */
static bool few_distinct(const uint64_t *values, size_t count) {
  uint64_t seen[SAMPLE_SLOTS];
  uint8_t used[SAMPLE_SLOTS] = {0};
  unsigned distinct = 0;
  size_t step = count / SAMPLES;
  for (size_t i = 0; i < SAMPLES; i++) {
    uint64_t value = values[i * step];
    size_t slot = slot_of(value, SAMPLE_SLOTS);
    while (used[slot] && seen[slot] != value)
      slot = (slot + 1) & (SAMPLE_SLOTS - 1);
    distinct += !used[slot];
    used[slot] = 1;
    seen[slot] = value;
  }
  return distinct <= SAMPLE_DISTINCT_MAX;
}

/* About how many differ, by linear counting: how many of the places in a table their hashes leave
 * free (Whang, Vander-Zanden and Taylor, TODS 1990). A twentieth of the cost of finding them. */
static double count_distinct(const uint64_t *values, size_t count, uint8_t table[SLOTS]) {
  size_t used = 0;
  memset(table, 0, SLOTS);
  for (size_t i = 0; i < count; i++)
    table[slot_of(values[i], SLOTS)] = 1;
  for (size_t i = 0; i < SLOTS; i++)
    used += table[i];
  return -(double)SLOTS * log(1 - (double)used / SLOTS);
}

bool codec__may_be_numbers(const uint64_t *values, size_t count, size_t size, double entry_bits,
                           void *memory, double *distinct) {
  struct scratch *scratch = (struct scratch *)codec__align((uintptr_t)memory);
  if (!few_distinct(values, count)) return false;
  *distinct = count_distinct(values, count, (uint8_t *)scratch->slots);
  if (*distinct > NUMBERS_DISTINCT_MAX * 1.05 || *distinct > (double)count * 0.52) return false;
  return codec__places_size(*distinct, count) + *distinct * entry_bits / 8 < (double)size;
}

double codec__places_size(double distinct, size_t count) {
  return (double)count * codec__width((uint64_t)distinct) / 8;
}

/* The index of a value among the distinct ones, which it joins if it is new; -1: there is no room.
 */
static int index_of(struct scratch *scratch, uint64_t value, size_t *count) {
  size_t slot = slot_of(value, SLOTS);
  for (; scratch->slots[slot]; slot = (slot + 1) & (SLOTS - 1))
    if (scratch->distinct[scratch->slots[slot] - 1] == value) return scratch->slots[slot] - 1;
  if (*count == NUMBERS_DISTINCT_MAX) return -1;
  scratch->distinct[*count] = value;
  scratch->slots[slot] = (uint16_t)++ * count;
  return (int)*count - 1;
}

/* Finds the distinct values and makes places of the indexes; returns how many there are, 0: too
 * many. `flip` makes values compare as unsigned integers. */
static size_t find_places(const uint64_t *values, size_t count, uint64_t flip,
                          struct scratch *scratch) {
  size_t distinct = 0;
  memset(scratch->slots, 0, sizeof scratch->slots);
  for (size_t i = 0; i < count; i++) {
    int index = index_of(scratch, values[i], &distinct);
    if (index < 0) return 0;
    scratch->places[i] = (uint64_t)index;
  }
  /* Sorted, a value is found again by its slot, which knows its old index. */
  uint64_t *sorted = scratch->spare;
  for (size_t i = 0; i < distinct; i++)
    sorted[i] = scratch->distinct[i] ^ flip;
  sort_keys(sorted, (uint64_t *)(void *)scratch->floats, distinct);
  for (size_t i = 0; i < distinct; i++) {
    size_t unused = distinct;
    int index = index_of(scratch, sorted[i] ^ flip, &unused);
    scratch->ranks[index] = (uint16_t)i;
  }
  for (size_t i = 0; i < count; i++)
    scratch->places[i] = scratch->ranks[scratch->places[i]];
  for (size_t i = 0; i < distinct; i++)
    scratch->distinct[i] = sorted[i] ^ flip;
  return distinct;
}

static void put_image(const struct codec_loops *loops, struct type type, const uint64_t *values,
                      size_t count, enum codec_level level, struct codec_hint *hint, void *scratch,
                      struct codec_writer *writer) {
  struct codec_writer image = {writer->at, writer->at + HEADER_SIZE};
  uint8_t codec = codec__put_values(loops, type, values, count, level, hint, scratch, &image);
  struct image_header header = {.codec = codec,
                                .kind = type.physical,
                                .rows = (uint16_t)count,
                                .size = (uint32_t)(image.at - image.start)};
  memcpy(image.start, &header, sizeof header);
  writer->at = image.at;
}

bool codec__put_numbers(const struct codec_loops *loops, struct type type, const uint64_t *values,
                        size_t count, enum codec_level level, size_t limit, void *memory,
                        struct codec_writer *writer) {
  struct scratch *scratch = (struct scratch *)codec__align((uintptr_t)memory);
  uint64_t flip = type.physical == PHYSICAL_UINT64 ? FLIP_UNSIGNED : FLIP_SIGNED;
  size_t distinct = find_places(values, count, flip, scratch);
  if (!distinct || distinct * 2 > count) return false;
  struct numbers_frame frame = {.distinct = (uint16_t)distinct};
  struct codec_writer start = *writer;
  type.logical = 0;
  writer->at += sizeof frame;
  const uint8_t *image = writer->at;
  put_image(loops, type, scratch->distinct, distinct, CODEC_HOT, NULL, scratch->floats, writer);
  frame.size = (uint32_t)(writer->at - image);
  /* Where the distinct values alone take as much, the places need not be tried. */
  if ((size_t)(writer->at - start.at) < limit)
    put_image(loops, TYPE_UINT64, scratch->places, count, level, NULL, scratch->floats, writer);
  memcpy(start.at, &frame, sizeof frame);
  return (size_t)(writer->at - start.at) < limit;
}

/* ---- reading ---- */

int codec__open_places(const struct codec_image *image, struct codec_image *distinct,
                       struct codec_image *places, struct err *err) {
  struct numbers_frame frame;
  struct codec_bytes bytes = {image->payload, image->payload_size};
  const uint8_t *taken;
  struct type type = {image->type.physical, 0, 0};
  if (!codec__take(&bytes, sizeof frame, &taken))
    return codec__damaged(image, "no room for the frame", err);
  memcpy(&frame, taken, sizeof frame);
  if (frame.distinct == 0 || frame.distinct > NUMBERS_DISTINCT_MAX)
    return codec__damaged(image, "an impossible count of distinct values", err);
  if (!codec__take(&bytes, frame.size, &taken))
    return codec__damaged(image, "no room for the distinct values", err);
  int code = codec_open(taken, frame.size, type, frame.distinct, distinct, err);
  if (!code) code = codec_open(bytes.at, bytes.size, TYPE_UINT64, image->values, places, err);
  places->tables = image->tables;
  if (code) return code;
  /* Neither may hold nulls, or codes of its own kind: what is nested ends. */
  if (distinct->has_nulls || places->has_nulls || distinct->codec == CODEC_NUMBERS ||
      places->codec == CODEC_NUMBERS)
    return codec__damaged(image, "an image inside that can't be there", err);
  return ERR_OK;
}

int codec__open_numbers(const struct codec_image *image, struct err *err) {
  struct codec_image distinct, places;
  return codec__open_places(image, &distinct, &places, err);
}

int codec__decode_numbers(const struct codec_image *image, uint32_t from, uint32_t to,
                          uint64_t *values, struct err *err) {
  struct codec_image distinct, places;
  uint64_t dictionary[NUMBERS_DISTINCT_MAX];
  int code = codec__open_places(image, &distinct, &places, err);
  if (!code) code = codec_decode_into(&places, from, to - from, values, NULL, NULL, err);
  if (!code) code = codec_decode_into(&distinct, 0, distinct.rows, dictionary, NULL, NULL, err);
  if (code) return code;
  uint64_t highest = 0;
  for (uint32_t i = 0; i < to - from; i++)
    highest = values[i] > highest ? values[i] : highest;
  if (highest >= distinct.rows)
    return codec__damaged(image, "a place beyond the distinct values", err);
  for (uint32_t i = 0; i < to - from; i++)
    values[i] = dictionary[values[i]];
  return ERR_OK;
}
