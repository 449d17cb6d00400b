/* Symbol tables, from samples, in generations.
 *
 * A generation cuts the sample into the symbols it has, counts these and the pairs of neighbours,
 * and keeps the 255 of all symbols and joined pairs that cover most bytes. Symbols so grow to eight
 * bytes in a few rounds. Cutting is greedy: the symbol of three bytes or more that a hash of the
 * next three knows, else one of two, else one of one byte, else an escape. Of symbols with the same
 * hash the one that covers more stays. */
#include "codec/fsst.h"

#include <string.h>

enum {
  GENERATIONS = 5,
  SAMPLE = 16384,
  CHUNK = 512,
  LONG_SLOTS = 2048,
  PAIR_SLOTS = 32768,
  CANDIDATE_SLOTS = 16384,
  CODES = 512,       /* 256 + a byte: that byte by an escape */
  SINGLE_WEIGHT = 8, /* symbols of a byte save escapes */
  COUNT_MIN = 3,
};

struct long_symbol {
  uint64_t bytes, mask;
  uint16_t code;
  uint16_t size; /* 0: a free slot */
};
struct candidate {
  uint64_t bytes;
  uint32_t size; /* 0: a free slot */
  uint32_t gain; /* bytes of the sample that it covers */
};
struct pair {
  uint32_t key; /* 1 + the first code << 9 | the second; 0: a free slot */
  uint32_t count;
};

/* What finds the longest symbol at a place: code | size << 12, size 0 for none. */
struct matcher {
  struct long_symbol longs[LONG_SLOTS];
  uint16_t shorts[65536]; /* of the next two bytes */
  uint16_t singles[256];
};
struct scratch {
  struct matcher matcher;
  struct fsst_table table;
  uint32_t counts[CODES];
  struct pair pairs[PAIR_SLOTS];
  struct candidate candidates[CANDIDATE_SLOTS];
  struct candidate best[FSST_SYMBOLS_MAX]; /* a heap, the least gain first */
  uint8_t sample[SAMPLE + FSST_SYMBOL_SIZE];
};

size_t fsst_scratch(void) { return sizeof(struct scratch); }

static uint64_t load(const uint8_t *at, size_t left) {
  uint64_t word = 0;
  if (left >= sizeof word) {
    memcpy(&word, at, sizeof word);
  } else {
    for (size_t i = 0; i < left; i++)
      word |= (uint64_t)at[i] << (8 * i);
  }
  return word;
}
static uint64_t mask_of(unsigned size) { return ~UINT64_C(0) >> (64 - 8 * size); }
static size_t long_slot(uint64_t word) {
  return (size_t)((word & 0xffffff) * UINT64_C(0x9e3779b97f4a7c15) >> 53);
}
_Static_assert(LONG_SLOTS == 1 << 11, "the bits that long_slot leaves");

/* ---- matching ---- */

/* Makes the matcher know the table's symbols; one whose slot a better one has taken is left out, so
 * the table must be in descending order of gain. Returns how many symbols stay, and moves them
 * together. */
static unsigned matcher_fill(struct matcher *matcher, struct fsst_table *table) {
  unsigned kept = 0;
  memset(matcher, 0, sizeof *matcher);
  for (unsigned i = 0; i < table->count; i++) {
    uint64_t bytes = table->symbols[i];
    unsigned size = table->sizes[i];
    if (size >= 3) {
      struct long_symbol *slot = &matcher->longs[long_slot(bytes)];
      if (slot->size) continue;
      *slot = (struct long_symbol){bytes, mask_of(size), (uint16_t)kept, (uint16_t)size};
    } else if (size == 2) {
      matcher->shorts[bytes] = (uint16_t)(kept | 2u << 12);
    } else {
      matcher->singles[bytes] = (uint16_t)(kept | 1u << 12);
    }
    table->symbols[kept] = bytes;
    table->sizes[kept++] = (uint8_t)size;
  }
  for (size_t i = 0; i < 65536; i++)
    if (!matcher->shorts[i]) matcher->shorts[i] = matcher->singles[i & 255];
  return kept;
}

/* Code and size at a place with `left` bytes, at least one. */
static unsigned match(const struct matcher *matcher, uint64_t word, size_t left) {
  const struct long_symbol *symbol = &matcher->longs[long_slot(word)];
  if (symbol->size && symbol->size <= left && (word & symbol->mask) == symbol->bytes)
    return symbol->code | (unsigned)symbol->size << 12;
  return left >= 2 ? matcher->shorts[word & 0xffff] : matcher->singles[word & 255];
}

/* ---- one generation ---- */

static void count_pair(struct scratch *scratch, unsigned first, unsigned second) {
  uint32_t key = 1 + (first << 9 | second);
  size_t slot = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (PAIR_SLOTS - 1);
  while (scratch->pairs[slot].key && scratch->pairs[slot].key != key)
    slot = (slot + 1) & (PAIR_SLOTS - 1);
  scratch->pairs[slot].key = key;
  scratch->pairs[slot].count++;
}
_Static_assert(PAIR_SLOTS >= 4 * CHUNK && PAIR_SLOTS > SAMPLE, "a sample's pairs have room");

static void count_sample(struct scratch *scratch, size_t size) {
  memset(scratch->counts, 0, sizeof scratch->counts);
  memset(scratch->pairs, 0, sizeof scratch->pairs);
  unsigned previous = CODES;
  for (size_t at = 0; at < size;) {
    unsigned found = match(&scratch->matcher, load(scratch->sample + at, size - at), size - at);
    unsigned length = found >> 12, code = length ? found & 0xfff : 256u + scratch->sample[at];
    scratch->counts[code]++;
    if (at % CHUNK == 0) previous = CODES; /* a new place of the column, nearly */
    if (previous < CODES) count_pair(scratch, previous, code);
    /* A first byte could do instead, and would then not be an escape. */
    if (length > 1) scratch->counts[256 + scratch->sample[at]]++;
    previous = code;
    at += length ? length : 1;
  }
}

static void add_candidate(struct scratch *scratch, uint64_t bytes, unsigned size, uint32_t gain) {
  uint64_t mixed = (bytes ^ bytes >> 29 ^ size) * UINT64_C(0x9e3779b97f4a7c15);
  size_t slot = (size_t)(mixed >> 40) & (CANDIDATE_SLOTS - 1);
  struct candidate *at = &scratch->candidates[slot];
  while (at->size && (at->size != size || at->bytes != bytes)) {
    slot = (slot + 1) & (CANDIDATE_SLOTS - 1);
    at = &scratch->candidates[slot];
  }
  at->bytes = bytes;
  at->size = size;
  at->gain += gain;
}

static void symbol_of(const struct fsst_table *table, unsigned code, uint64_t *bytes,
                      unsigned *size) {
  *bytes = code < 256 ? table->symbols[code] : code - 256;
  *size = code < 256 ? table->sizes[code] : 1;
}

static void find_candidates(struct scratch *scratch, bool joined) {
  memset(scratch->candidates, 0, sizeof scratch->candidates);
  for (unsigned code = 0; code < CODES; code++) {
    uint64_t bytes;
    unsigned size;
    if (!scratch->counts[code]) continue;
    symbol_of(&scratch->table, code, &bytes, &size);
    add_candidate(scratch, bytes, size,
                  scratch->counts[code] * (size == 1 ? (uint32_t)SINGLE_WEIGHT : size));
  }
  for (size_t i = 0; joined && i < PAIR_SLOTS; i++) {
    const struct pair *pair = &scratch->pairs[i];
    uint64_t first, second;
    unsigned size, more;
    if (pair->count < COUNT_MIN) continue;
    symbol_of(&scratch->table, (pair->key - 1) >> 9, &first, &size);
    symbol_of(&scratch->table, (pair->key - 1) & 511, &second, &more);
    if (size == FSST_SYMBOL_SIZE) continue;
    first |= second << (8 * size);
    size = size + more < FSST_SYMBOL_SIZE ? size + more : FSST_SYMBOL_SIZE;
    add_candidate(scratch, first, size, pair->count * size);
  }
}

/* A total order, so that tables do not depend on the places of candidates. */
static bool is_less(const struct candidate *a, const struct candidate *b) {
  if (a->gain != b->gain) return a->gain < b->gain;
  if (a->size != b->size) return a->size < b->size;
  return a->bytes < b->bytes;
}

static void sink(struct candidate *heap, size_t count, size_t at) {
  struct candidate moved = heap[at];
  for (size_t child; (child = 2 * at + 1) < count; at = child) {
    if (child + 1 < count && is_less(&heap[child + 1], &heap[child])) child++;
    if (!is_less(&heap[child], &moved)) break;
    heap[at] = heap[child];
  }
  heap[at] = moved;
}

/* The candidates with the greatest gain become the table, in descending order. */
static void choose(struct scratch *scratch) {
  struct candidate *heap = scratch->best;
  size_t count = 0;
  for (size_t i = 0; i < CANDIDATE_SLOTS; i++) {
    const struct candidate *candidate = &scratch->candidates[i];
    if (!candidate->size) continue;
    if (count < FSST_SYMBOLS_MAX) {
      heap[count++] = *candidate;
      if (count == FSST_SYMBOLS_MAX)
        for (size_t at = count / 2; at-- > 0;)
          sink(heap, count, at);
    } else if (is_less(&heap[0], candidate)) {
      heap[0] = *candidate;
      sink(heap, count, 0);
    }
  }
  for (size_t at = count / 2; at-- > 0;)
    sink(heap, count, at);
  scratch->table.count = (unsigned)count;
  for (size_t left = count; left > 0; left--) {
    scratch->table.symbols[left - 1] = heap[0].bytes;
    scratch->table.sizes[left - 1] = (uint8_t)heap[0].size;
    heap[0] = heap[left - 1];
    sink(heap, left - 1, 0);
  }
}

/* Pieces from all over the bytes. */
static size_t take_sample(const uint8_t *bytes, size_t size, uint8_t *sample) {
  if (size <= SAMPLE) {
    memcpy(sample, bytes, size);
    return size;
  }
  for (size_t i = 0; i < SAMPLE / CHUNK; i++)
    memcpy(sample + i * CHUNK, bytes + (size - CHUNK) / (SAMPLE / CHUNK - 1) * i, CHUNK);
  return SAMPLE;
}

void fsst_build(const uint8_t *bytes, size_t size, void *memory, struct fsst_table *table) {
  struct scratch *scratch = memory;
  memset(&scratch->table, 0, sizeof scratch->table);
  memset(&scratch->matcher, 0, sizeof scratch->matcher);
  size_t sampled = size ? take_sample(bytes, size, scratch->sample) : 0;
  for (int i = 0; i < GENERATIONS && sampled; i++) {
    count_sample(scratch, sampled);
    find_candidates(scratch, i + 1 < GENERATIONS);
    choose(scratch);
    scratch->table.count = matcher_fill(&scratch->matcher, &scratch->table);
  }
  memset(table, 0, sizeof *table);
  table->count = scratch->table.count;
  memcpy(table->symbols, scratch->table.symbols, table->count * sizeof *table->symbols);
  memcpy(table->sizes, scratch->table.sizes, table->count);
}

/* ---- using a table ---- */

size_t fsst_encode(const void *memory, const uint8_t *bytes, size_t size, uint8_t *codes) {
  const struct matcher *matcher = &((const struct scratch *)memory)->matcher;
  uint8_t *out = codes;
  for (size_t at = 0; at < size;) {
    unsigned found = match(matcher, load(bytes + at, size - at), size - at);
    unsigned length = found >> 12;
    if (!length) {
      *out++ = FSST_ESCAPE;
      *out++ = bytes[at++];
    } else {
      *out++ = (uint8_t)found;
      at += length;
    }
  }
  return (size_t)(out - codes);
}

/* Whether one of four codes is an escape. */
static bool has_escape(const uint8_t *codes) {
  uint32_t word;
  memcpy(&word, codes, 4);
  word = ~word; /* an escape is a zero byte of it */
  return ((word - UINT32_C(0x01010101)) & ~word & UINT32_C(0x80808080)) != 0;
}

bool fsst_decode(const struct fsst_table *table, const uint8_t *codes, size_t size, uint8_t *bytes,
                 size_t total) {
  const uint8_t *end = codes + size;
  uint8_t *out = bytes, *out_end = bytes + total;
  while (codes < end && out < out_end) {
    if (end - codes >= 4 && out_end - out >= 4 * FSST_SYMBOL_SIZE && !has_escape(codes)) {
      for (int i = 0; i < 4; i++) {
        memcpy(out, &table->symbols[codes[i]], FSST_SYMBOL_SIZE);
        out += table->sizes[codes[i]];
      }
      codes += 4;
      continue;
    }
    unsigned code = *codes++;
    if (code == FSST_ESCAPE) {
      if (codes == end) return false;
      *out++ = *codes++;
    } else {
      memcpy(out, &table->symbols[code], FSST_SYMBOL_SIZE);
      out += table->sizes[code];
    }
  }
  return codes == end && out == out_end;
}

/* ---- stored tables ---- */

size_t fsst_stored_size(const struct fsst_table *table) {
  size_t size = table->count;
  for (unsigned i = 0; i < table->count; i++)
    size += table->sizes[i];
  return size;
}

void fsst_store(const struct fsst_table *table, uint8_t *stored) {
  memcpy(stored, table->sizes, table->count);
  stored += table->count;
  for (unsigned i = 0; i < table->count; i++) {
    memcpy(stored, &table->symbols[i], table->sizes[i]);
    stored += table->sizes[i];
  }
}

bool fsst_load(const uint8_t *stored, size_t size, unsigned count, struct fsst_table *table,
               size_t *taken) {
  memset(table, 0, sizeof *table);
  if (count > FSST_SYMBOLS_MAX || count > size) return false;
  table->count = count;
  size_t at = count;
  for (unsigned i = 0; i < count; i++) {
    unsigned length = stored[i];
    if (length == 0 || length > FSST_SYMBOL_SIZE || length > size - at) return false;
    table->sizes[i] = (uint8_t)length;
    table->symbols[i] = load(stored + at, length);
    at += length;
  }
  *taken = at;
  return true;
}
