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
  SAMPLE = 15872,
  CHUNK = 512,
  LONG_SLOTS = 2048,
  PAIR_SLOTS = 32768,
  CANDIDATE_SLOTS = 8192,
  CANDIDATES_MAX = CANDIDATE_SLOTS * 3 / 4,
  CODES = 512,       /* 256 + a byte: that byte by an escape */
  SINGLE_WEIGHT = 8, /* symbols of a byte save escapes */
  COUNT_MIN = 3,
  SIZE_SHIFT = 12,   /* of an entry: how many bytes it covers stand above, the code below */
  ESCAPED = 1 << 11, /* an entry that is an escape */
  NOTHING = 0xff | ESCAPED | 1 << SIZE_SHIFT,
};

struct long_symbol {
  uint64_t bytes, mask; /* a free slot: 1 and 0, which no word matches */
  uint32_t entry;
};
struct candidate {
  uint64_t bytes;
  uint32_t size; /* 0: a free slot */
  uint32_t gain; /* bytes of the sample that it covers */
};

/* What finds the longest symbol at a place: an entry is code | size << SIZE_SHIFT, or NOTHING. */
struct matcher {
  struct long_symbol longs[LONG_SLOTS];
  uint16_t shorts[65536]; /* of the next two bytes */
  uint16_t singles[256];
};
struct scratch {
  struct matcher matcher;
  struct fsst_table table;
  uint32_t counts[CODES];
  uint32_t pairs[PAIR_SLOTS];  /* first code, second code, count: 9, 9 and 14 bits; 0: free */
  uint16_t used_pairs[SAMPLE]; /* the slots that are not free */
  size_t pair_count;
  struct candidate candidates[CANDIDATE_SLOTS];
  uint16_t used_candidates[CANDIDATES_MAX];
  size_t candidate_count;
  struct candidate best[FSST_SYMBOLS_MAX]; /* a heap, the least gain first */
  uint8_t sample[SAMPLE + FSST_SYMBOL_SIZE];
};
_Static_assert(SAMPLE < 1 << 14, "a count of pairs has 14 bits");

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
static inline size_t long_slot(uint64_t word) {
  return (size_t)((word & 0xffffff) * UINT64_C(0x9e3779b97f4a7c15) >> 53);
}
_Static_assert(LONG_SLOTS == 1 << 11, "the bits that long_slot leaves");

/* ---- matching ---- */

static void matcher_clear(struct matcher *matcher) {
  for (size_t i = 0; i < LONG_SLOTS; i++)
    matcher->longs[i] = (struct long_symbol){.bytes = 1};
  for (size_t i = 0; i < 65536; i++)
    matcher->shorts[i] = NOTHING;
  for (size_t i = 0; i < 256; i++)
    matcher->singles[i] = NOTHING;
}

/* Makes the matcher know the table's symbols; one whose slot a better one has taken is left out, so
 * the table must be in descending order of gain. Returns how many symbols stay, and moves them
 * together. */
static unsigned matcher_fill(struct matcher *matcher, struct fsst_table *table) {
  unsigned kept = 0;
  matcher_clear(matcher);
  for (unsigned i = 0; i < table->count; i++) {
    uint64_t bytes = table->symbols[i];
    unsigned size = table->sizes[i], entry = kept | size << SIZE_SHIFT;
    if (size >= 3) {
      struct long_symbol *slot = &matcher->longs[long_slot(bytes)];
      if (slot->mask) continue;
      *slot = (struct long_symbol){bytes, mask_of(size), entry};
    } else if (size == 1) {
      matcher->singles[bytes] = (uint16_t)entry;
    }
    table->symbols[kept] = bytes;
    table->sizes[kept++] = (uint8_t)size;
  }
  for (size_t i = 0; i < 65536; i += 256)
    memcpy(matcher->shorts + i, matcher->singles, sizeof matcher->singles);
  for (unsigned i = 0; i < kept; i++)
    if (table->sizes[i] == 2) matcher->shorts[table->symbols[i]] = (uint16_t)(i | 2u << SIZE_SHIFT);
  return kept;
}

/* The entry at a place with eight bytes or more. */
static inline uint32_t match(const struct matcher *matcher, uint64_t word) {
  const struct long_symbol *symbol = &matcher->longs[long_slot(word)];
  uint32_t entry = matcher->shorts[word & 0xffff];
  return (word & symbol->mask) == symbol->bytes ? symbol->entry : entry;
}

/* The same where fewer are left, at least one. */
static uint32_t match_end(const struct matcher *matcher, uint64_t word, size_t left) {
  uint32_t entry = match(matcher, word);
  if (entry >> SIZE_SHIFT <= left) return entry;
  entry = matcher->shorts[word & 0xffff];
  return entry >> SIZE_SHIFT <= left ? entry : matcher->singles[word & 255];
}

/* ---- one generation ---- */

static void count_pair(struct scratch *scratch, unsigned first, unsigned second) {
  uint32_t key = (first << 9 | second) << 14;
  size_t slot = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 44) & (PAIR_SLOTS - 1);
  uint32_t *pairs = scratch->pairs;
  while (pairs[slot] && (pairs[slot] ^ key) >> 14)
    slot = (slot + 1) & (PAIR_SLOTS - 1);
  if (!pairs[slot]) {
    pairs[slot] = key;
    scratch->used_pairs[scratch->pair_count++] = (uint16_t)slot;
  }
  pairs[slot]++;
}
_Static_assert(PAIR_SLOTS >= 2 * SAMPLE, "a sample's pairs have room");

static void count_sample(struct scratch *scratch, size_t size) {
  memset(scratch->counts, 0, sizeof scratch->counts);
  unsigned previous = CODES;
  for (size_t at = 0; at < size;) {
    size_t left = size - at;
    uint64_t word = load(scratch->sample + at, left);
    uint32_t entry =
        left >= 8 ? match(&scratch->matcher, word) : match_end(&scratch->matcher, word, left);
    unsigned length = entry >> SIZE_SHIFT, byte = (unsigned)(word & 255);
    unsigned code = entry & ESCAPED ? 256u + byte : entry & 0xff;
    scratch->counts[code]++;
    if (at % CHUNK == 0) previous = CODES; /* a new place of the column, nearly */
    if (previous < CODES) count_pair(scratch, previous, code);
    /* A first byte could do instead, and would then not be an escape. */
    if (length > 1) scratch->counts[256 + byte]++;
    previous = code;
    at += length;
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
  if (!at->size) {
    if (scratch->candidate_count == CANDIDATES_MAX) return;
    scratch->used_candidates[scratch->candidate_count++] = (uint16_t)slot;
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

/* The symbols that occur, and with `joined` their frequent pairs; the pairs are forgotten. */
static void find_candidates(struct scratch *scratch, bool joined) {
  for (unsigned code = 0; code < CODES; code++) {
    uint64_t bytes;
    unsigned size;
    if (!scratch->counts[code]) continue;
    symbol_of(&scratch->table, code, &bytes, &size);
    add_candidate(scratch, bytes, size,
                  scratch->counts[code] * (size == 1 ? (uint32_t)SINGLE_WEIGHT : size));
  }
  for (size_t i = 0; i < scratch->pair_count; i++) {
    uint32_t pair = scratch->pairs[scratch->used_pairs[i]], count = pair & ((1 << 14) - 1);
    uint64_t first, second;
    unsigned size, more;
    scratch->pairs[scratch->used_pairs[i]] = 0;
    if (!joined || count < COUNT_MIN) continue;
    symbol_of(&scratch->table, pair >> 23, &first, &size);
    symbol_of(&scratch->table, pair >> 14 & 511, &second, &more);
    if (size == FSST_SYMBOL_SIZE) continue;
    first |= second << (8 * size);
    size = size + more < FSST_SYMBOL_SIZE ? size + more : FSST_SYMBOL_SIZE;
    add_candidate(scratch, first, size, count * size);
  }
  scratch->pair_count = 0;
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

/* The candidates with the greatest gain become the table, in descending order; all are forgotten.
 */
static void choose(struct scratch *scratch) {
  struct candidate *heap = scratch->best;
  size_t count = 0;
  for (size_t i = 0; i < scratch->candidate_count; i++) {
    struct candidate *candidate = &scratch->candidates[scratch->used_candidates[i]];
    if (count < FSST_SYMBOLS_MAX) {
      heap[count++] = *candidate;
      if (count == FSST_SYMBOLS_MAX)
        for (size_t at = count / 2; at-- > 0;)
          sink(heap, count, at);
    } else if (is_less(&heap[0], candidate)) {
      heap[0] = *candidate;
      sink(heap, count, 0);
    }
    *candidate = (struct candidate){0};
  }
  scratch->candidate_count = 0;
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

/* Early generations have short symbols, which a part of the sample shows. */
void fsst_build(const uint8_t *bytes, size_t size, void *memory, struct fsst_table *table) {
  struct scratch *scratch = memory;
  memset(&scratch->table, 0, sizeof scratch->table);
  memset(scratch->pairs, 0, sizeof scratch->pairs);
  memset(scratch->candidates, 0, sizeof scratch->candidates);
  scratch->pair_count = scratch->candidate_count = 0;
  matcher_clear(&scratch->matcher);
  size_t sampled = size ? take_sample(bytes, size, scratch->sample) : 0;
  for (size_t i = 1; i <= GENERATIONS && sampled; i++) {
    count_sample(scratch, (sampled * i + GENERATIONS - 1) / GENERATIONS);
    find_candidates(scratch, i < GENERATIONS);
    choose(scratch);
    scratch->table.count = matcher_fill(&scratch->matcher, &scratch->table);
  }
  memset(table, 0, sizeof *table);
  table->count = scratch->table.count;
  memcpy(table->symbols, scratch->table.symbols, table->count * sizeof *table->symbols);
  memcpy(table->sizes, scratch->table.sizes, table->count);
}

/* ---- using a table ---- */

/* A piece on its way. */
struct encoding {
  const uint8_t *at, *end;
  uint8_t *out;
};

/* One code; at least eight bytes are left. */
static inline void encode_one(const struct matcher *matcher, struct encoding *encoding) {
  uint64_t word;
  memcpy(&word, encoding->at, sizeof word);
  uint32_t entry = match(matcher, word);
  encoding->out[0] = (uint8_t)entry;
  encoding->out[1] = (uint8_t)word;
  encoding->out += 1 + (entry / ESCAPED & 1);
  encoding->at += entry >> SIZE_SHIFT;
}

static void encode_rest(const struct matcher *matcher, struct encoding encoding,
                        struct fsst_piece *piece) {
  while (encoding.end - encoding.at >= 8)
    encode_one(matcher, &encoding);
  while (encoding.at < encoding.end) {
    size_t left = (size_t)(encoding.end - encoding.at);
    uint32_t entry = match_end(matcher, load(encoding.at, left), left);
    *encoding.out++ = (uint8_t)entry;
    if (entry & ESCAPED) *encoding.out++ = *encoding.at;
    encoding.at += entry >> SIZE_SHIFT;
  }
  piece->stored = (size_t)(encoding.out - piece->codes);
}

static struct encoding encoding_of(const struct fsst_piece *piece) {
  return (struct encoding){piece->bytes, piece->bytes + piece->size, piece->codes};
}

void fsst_encode(const void *memory, struct fsst_piece *pieces, size_t count) {
  const struct matcher *matcher = &((const struct scratch *)memory)->matcher;
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    struct encoding a = encoding_of(&pieces[i]), b = encoding_of(&pieces[i + 1]);
    struct encoding c = encoding_of(&pieces[i + 2]), d = encoding_of(&pieces[i + 3]);
    while (a.end - a.at >= 8 && b.end - b.at >= 8 && c.end - c.at >= 8 && d.end - d.at >= 8) {
      encode_one(matcher, &a);
      encode_one(matcher, &b);
      encode_one(matcher, &c);
      encode_one(matcher, &d);
    }
    encode_rest(matcher, a, &pieces[i]);
    encode_rest(matcher, b, &pieces[i + 1]);
    encode_rest(matcher, c, &pieces[i + 2]);
    encode_rest(matcher, d, &pieces[i + 3]);
  }
  for (; i < count; i++)
    encode_rest(matcher, encoding_of(&pieces[i]), &pieces[i]);
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
