/* Cold images: what is left of the fields after their lowest bits are packed gets Huffman codes.
 *
 * The lowest k bits of most data are noise, so they are packed as they are; the bits above them, a
 * symbol of at most 8 bits, are worth a code as long as their frequency says. k is as large as it
 * may be at hardly any loss, because large symbols are few and short codes decode faster. Fields
 * that no symbol covers are exceptions, as in patched packing.
 *
 * Codes take three times as long to decode as packed bits, so they have to save something; where
 * the last image did without, a sample of the vectors says whether they might. */
#include <math.h>

#include "codec/codec_private.h"

enum {
  SYMBOL_BITS = 8,
  TABLE_BITS_AHEAD = 64, /* a table is kept while a new one would not gain so much */
  SAVING_MIN = 64,       /* a 64th of the bytes */
  AGAIN_MAX = 15,        /* images as the one before, and then one is planned anew */
  AGAIN_VECTORS_MIN = 4,
};
/* What may be lost by packing one bit more, and by keeping the table of the block before. */
#define SHIFT_LOSS 0.006
#define TABLE_LOSS 0.004
/* What an image written as the one before may lose by its code, and be larger or smaller. */
#define AGAIN_LOSS  0.005
#define AGAIN_DRIFT 0.1

/* Fields of a column under one codec, their highest bits counted. */
struct field_counts {
  uint32_t counts[256]; /* of symbols at the smallest shift; exceptions count as symbol 0 */
  size_t total, exceptions;
  unsigned shift;
  unsigned exception_bits; /* at most, that one takes */
};

/* The bits that all but so many fields do with that an exception for each of those is cheaper. */
static unsigned smallest_shift(const struct integer_plan *plan) {
  unsigned width = 64;
  size_t exceptions = 0;
  while (width > SYMBOL_BITS && exceptions + plan->widths[width] <= plan->count / 256)
    exceptions += plan->widths[width--];
  return width > SYMBOL_BITS ? width - SYMBOL_BITS : 0;
}

static void count_symbols(const uint8_t *symbols, size_t count, uint32_t tables[4][256]) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4)
    for (size_t j = 0; j < 4; j++)
      tables[j][symbols[i + j]]++;
  for (; i < count; i++)
    tables[0][symbols[i]]++;
}

/* Adds those of vector v above `found->shift` bits; `all`: the bits of its fields or-ed. */
static void count_vector(const struct integer_plan *plan, size_t v, struct field_counts *found,
                         uint32_t tables[4][256], uint64_t *all) {
  VECTOR_ALIGNED uint64_t fields[CODEC_VECTOR];
  VECTOR_ALIGNED uint8_t symbols[CODEC_VECTOR];
  uint16_t positions[CODEC_VECTOR + 1];
  uint64_t base, bits;
  unsigned width = found->shift + SYMBOL_BITS;
  size_t count = codec__vector_values(plan, v);
  codec__fields_of(plan, plan->codec, v, fields, &base, &bits);
  found->total += count;
  *all |= bits;
  if (width < 64 && bits >> width) {
    size_t outside = plan->loops->outliers(fields, count, width, positions);
    for (size_t i = 0; i < outside; i++)
      fields[positions[i]] = 0;
    found->exceptions += outside;
  }
  plan->loops->symbols(fields, count, found->shift, symbols);
  count_symbols(symbols, count, tables);
}

/* Of every `step`th vector from one on. */
static void count_fields(const struct integer_plan *plan, unsigned shift, size_t from, size_t step,
                         struct field_counts *found) {
  uint32_t tables[4][256] = {{0}};
  uint64_t all = 0;
  *found = (struct field_counts){.shift = shift};
  for (size_t v = from; v < codec__vector_count(plan); v += step)
    count_vector(plan, v, found, tables, &all);
  for (unsigned i = 0; i < 256; i++)
    found->counts[i] = tables[0][i] + tables[1][i] + tables[2][i] + tables[3][i];
  unsigned high = codec__width(all) > found->shift ? codec__width(all) - found->shift : 0;
  found->exception_bits = 8 * (2 + codec__high_bytes(high));
}

/* The bits that symbols of these frequencies are worth. */
static double entropy_of(const struct codec_loops *loops, const uint32_t counts[256], unsigned used,
                         size_t total) {
  uint32_t whole[16] = {(uint32_t)total};
  uint64_t all = loops->weights(whole, 16), parts = loops->weights(counts, (used + 15) / 16 * 16);
  return all > parts ? (double)(all - parts) / 256 : 0;
}

/* Halves the number of symbols. */
static void drop_bit(uint32_t counts[256]) {
  for (unsigned i = 0; i < 128; i++)
    counts[i] = counts[2 * i] + counts[2 * i + 1];
  memset(counts + 128, 0, 128 * sizeof *counts);
}

static unsigned used_of(const uint32_t counts[256]) {
  unsigned used = 256;
  while (used > 1 && !counts[used - 1])
    used--;
  return used;
}

/* The largest shift that loses hardly anything: *counts become those of its symbols. Returns the
 * bits of the whole. */
static double choose_shift(const struct codec_loops *loops, size_t total, unsigned *shift,
                           uint32_t counts[256]) {
  uint32_t fewer[256];
  memcpy(fewer, counts, sizeof fewer);
  unsigned used = used_of(counts);
  double best = (double)total * *shift + entropy_of(loops, counts, used, total) + 4.0 * used;
  double bits = best;
  unsigned at = *shift;
  while (at < CODES_WIDTH_MAX && used_of(fewer) > 4) {
    drop_bit(fewer);
    used = used_of(fewer);
    double next = (double)total * ++at + entropy_of(loops, fewer, used, total) + 4.0 * used;
    if (next > best * (1 + SHIFT_LOSS)) break;
    if (next < best) best = next;
    bits = next;
    *shift = at;
    memcpy(counts, fewer, sizeof fewer);
  }
  return bits;
}

static bool lacks_codes(const uint32_t counts[256], const struct huffman *huffman) {
  for (unsigned i = 0; i < 256; i++)
    if (counts[i] && !(i < huffman->count && huffman->lengths[i])) return true;
  return false;
}

/* Bits that symbols take under a code; those without one are exceptions. */
static double coded_bits(const uint32_t counts[256], const struct huffman *huffman,
                         unsigned exception_bits) {
  uint64_t bits = 0;
  for (unsigned i = 0; i < 256; i++) {
    bool coded = i < huffman->count && huffman->lengths[i];
    bits += (uint64_t)counts[i] * (coded ? huffman->lengths[i] : exception_bits + HUFFMAN_BITS);
  }
  return (double)bits;
}

/* Counts of symbols at `shift`, which is not smaller than the counted one. */
static void counts_at(const struct field_counts *found, unsigned shift, uint32_t counts[256]) {
  memcpy(counts, found->counts, sizeof found->counts);
  for (unsigned at = found->shift; at < shift; at++)
    drop_bit(counts);
}

/* Chooses shift and code: those of the block before while they do. Returns the bits; no code is
 * made where that can't be fewer than planned. */
static double choose_code(const struct integer_plan *plan, const struct field_counts *found,
                          const struct codec_hint *hint, struct compact_plan *compact) {
  double rest = (double)found->exceptions * found->exception_bits;
  compact->has_codes = true;
  uint32_t counts[256], hinted[256];
  memcpy(counts, found->counts, sizeof counts);
  compact->width = found->shift;
  double ideal = choose_shift(plan->loops, plan->count, &compact->width, counts);
  if (hint && hint->shift >= found->shift && hint->shift - found->shift <= SYMBOL_BITS &&
      huffman_is_complete(&hint->huffman)) {
    counts_at(found, hint->shift, hinted);
    double bits = coded_bits(hinted, &hint->huffman, found->exception_bits) +
                  (double)plan->count * hint->shift;
    if (bits <= ideal * (double)hint->excess * (1 + TABLE_LOSS) + TABLE_BITS_AHEAD) {
      compact->width = hint->shift;
      compact->huffman = hint->huffman;
      compact->excess = hint->excess;
      compact->has_exceptions = found->exceptions || lacks_codes(hinted, &hint->huffman);
      return bits + rest + 4.0 * hint->huffman.count;
    }
  }
  if (ideal + rest >= (double)plan->size * 8) return ideal + rest;
  huffman_build(counts, &compact->huffman);
  compact->has_exceptions = found->exceptions > 0;
  double bits = coded_bits(counts, &compact->huffman, found->exception_bits) +
                (double)plan->count * compact->width;
  compact->excess = ideal > 0 ? (float)(bits / ideal) : 1;
  return bits + rest + 4.0 * compact->huffman.count;
}

/* Whether codes would save enough in a few of the vectors. */
static bool is_promising(const struct integer_plan *plan) {
  struct field_counts found;
  size_t vectors = codec__vector_count(plan);
  if (vectors < 4) return true;
  count_fields(plan, smallest_shift(plan), 0, vectors / 2, &found);
  double bits = choose_shift(plan->loops, found.total, &found.shift, found.counts) +
                (double)found.exceptions * found.exception_bits;
  double planned = (double)plan->size * 8 * (double)found.total / (double)plan->count;
  return bits < planned - planned / SAVING_MIN;
}

void codec__plan_entropy(struct integer_plan *plan, const struct codec_hint *hint) {
  struct field_counts found;
  struct compact_plan compact;
  if (smallest_shift(plan) > CODES_WIDTH_MAX) return;
  if (!(hint && hint->coded) && !is_promising(plan)) return;
  count_fields(plan, smallest_shift(plan), 0, 1, &found);
  double bits = choose_code(plan, &found, hint, &compact);
  /* Entries: 8 bytes of base at most, two of size, three of exceptions; a stream's last byte. */
  size_t size = (size_t)(bits / 8) + 64 + codec__vector_count(plan) * 6;
  if (size >= plan->size - plan->size / SAVING_MIN) return;
  plan->size = size;
  plan->is_compact = true;
  plan->compact = compact;
}

/* ---- as the image before ---- */

/* Whether the hint's code does for a sample of the vectors: it loses hardly anything to one made
 * for them, and they take about as many bits as those it was made for. */
static bool is_alike(const struct integer_plan *plan, const struct codec_hint *hint,
                     bool *has_exceptions) {
  struct field_counts found;
  size_t vectors = codec__vector_count(plan), step = vectors / 2;
  count_fields(plan, hint->shift, (vectors + 3) / 4, step ? step : 1, &found);
  double rest = (double)found.total * hint->shift + (double)found.exceptions * found.exception_bits;
  double bits = coded_bits(found.counts, &hint->huffman, found.exception_bits) + rest;
  unsigned used = used_of(found.counts);
  /* Few values look less random than they are, by half a natural unit a symbol (Miller, 1955). */
  double ideal = entropy_of(plan->loops, found.counts, used, found.total) + 0.72 * used + rest;
  *has_exceptions = found.exceptions || lacks_codes(found.counts, &hint->huffman);
  double before = (double)hint->bits * (double)found.total;
  return bits <= ideal * (double)hint->excess * (1 + AGAIN_LOSS) + TABLE_BITS_AHEAD &&
         fabs(bits - before) < before * AGAIN_DRIFT;
}

bool codec__plan_again(struct integer_plan *plan, const struct codec_hint *hint) {
  size_t vectors = codec__vector_count(plan);
  if (!hint->coded || hint->again >= AGAIN_MAX || vectors < AGAIN_VECTORS_MIN) return false;
  if ((hint->way != CODEC_FOR && hint->way != CODEC_DELTA && hint->way != CODEC_LINE) ||
      hint->shift > CODES_WIDTH_MAX || !huffman_is_complete(&hint->huffman))
    return false;
  bool has_exceptions;
  plan->codec = hint->way;
  plan->center = hint->center;
  if (plan->codec == CODEC_LINE) plan->line = codec__line_of(plan, plan->count);
  if (!is_alike(plan, hint, &has_exceptions)) {
    plan->codec = CODEC_FOR;
    plan->center = 0;
    plan->line = (struct codec_line){0};
    return false;
  }
  VECTOR_ALIGNED uint64_t fields[CODEC_VECTOR];
  uint64_t bits;
  for (size_t v = 0; v < vectors; v++) {
    plan->vectors[v].base = plan->values[v * CODEC_VECTOR];
    if (plan->codec != CODEC_DELTA)
      codec__fields_of(plan, plan->codec, v, fields, &plan->vectors[v].base, &bits);
  }
  plan->is_compact = plan->is_again = true;
  plan->size = (size_t)((double)hint->bits * (double)plan->count / 8);
  plan->compact = (struct compact_plan){.width = hint->shift,
                                        .has_codes = true,
                                        .has_exceptions = has_exceptions,
                                        .excess = hint->excess,
                                        .huffman = hint->huffman};
  return true;
}
