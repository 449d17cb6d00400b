/* Building and storing codes (Huffman, "A Method for the Construction of Minimum-Redundancy Codes",
 * 1952), limited in length by moving codes until their shares add up to 1 again; the tables of
 * encoder and decoder. Decoding itself is one of the loops (codec_loops.inc). */
#include "codec/huffman.h"

#include <stdlib.h>
#include <string.h>

/* ---- lengths ---- */

struct node {
  uint32_t weight;
  int16_t parent;
  uint8_t symbol;
};

static int by_weight(const void *a, const void *b) {
  const struct node *x = a, *y = b;
  if (x->weight != y->weight) return x->weight < y->weight ? -1 : 1;
  return (x->symbol > y->symbol) - (x->symbol < y->symbol);
}

/* The lightest node that has no parent yet: leaves ascend, and so do the inner nodes behind them.
 */
static int take_lightest(const struct node *nodes, int leaves, int *leaf, int *inner, int end) {
  if (*leaf < leaves && (*inner == end || nodes[*leaf].weight <= nodes[*inner].weight))
    return (*leaf)++;
  return (*inner)++;
}

/* Makes the shares of the sorted symbols (rarest first) add up to 1 with no length above the limit:
 * too long codes are cut, which is paid for by making others longer, and what is left over is given
 * back. */
static void limit_lengths(const struct node *nodes, int leaves, uint8_t lengths[256]) {
  uint32_t whole = HUFFMAN_ENTRIES, sum = 0;
  for (int i = 0; i < leaves; i++) {
    uint8_t *length = &lengths[nodes[i].symbol];
    if (*length > HUFFMAN_BITS) *length = HUFFMAN_BITS;
    sum += whole >> *length;
  }
  while (sum > whole) { /* the rarest of the symbols with the longest codes that can grow */
    int chosen = -1;
    for (int i = 0; i < leaves; i++) {
      uint8_t length = lengths[nodes[i].symbol];
      if (length < HUFFMAN_BITS && (chosen < 0 || length > lengths[nodes[chosen].symbol]))
        chosen = i;
    }
    sum -= whole >> ++lengths[nodes[chosen].symbol];
  }
  while (sum < whole) { /* the most frequent whose code may be halved */
    for (int i = leaves; i-- > 0;) {
      uint8_t *length = &lengths[nodes[i].symbol];
      if (sum + (whole >> *length) > whole) continue;
      sum += whole >> *length;
      --*length;
      break;
    }
  }
}

void huffman_build(const uint32_t counts[256], struct huffman *huffman) {
  struct node nodes[512];
  int leaves = 0;
  memset(huffman, 0, sizeof *huffman);
  for (unsigned symbol = 0; symbol < 256; symbol++) {
    if (!counts[symbol] && symbol > 0) continue;
    uint32_t weight = counts[symbol] ? counts[symbol] : 1;
    nodes[leaves++] = (struct node){.weight = weight, .symbol = (uint8_t)symbol};
    huffman->count = (uint16_t)(symbol + 1);
  }
  if (leaves == 1) { /* a code needs two sides */
    nodes[leaves++] = (struct node){.weight = 1, .symbol = 1};
    huffman->count = 2;
  }
  qsort(nodes, (size_t)leaves, sizeof nodes[0], by_weight);
  int leaf = 0, inner = leaves, end = leaves;
  for (; end < 2 * leaves - 1; end++) {
    int a = take_lightest(nodes, leaves, &leaf, &inner, end);
    int b = take_lightest(nodes, leaves, &leaf, &inner, end);
    nodes[end].weight = nodes[a].weight + nodes[b].weight;
    nodes[a].parent = nodes[b].parent = (int16_t)end;
  }
  uint8_t depth[512];
  depth[end - 1] = 0;
  for (int i = end - 1; i-- > 0;) {
    depth[i] = (uint8_t)(depth[nodes[i].parent] + 1);
    if (i < leaves) huffman->lengths[nodes[i].symbol] = depth[i];
  }
  limit_lengths(nodes, leaves, huffman->lengths);
}

bool huffman_is_complete(const struct huffman *huffman) {
  uint32_t sum = 0;
  if (huffman->count < 2 || huffman->count > 256 || !huffman->lengths[0]) return false;
  for (unsigned i = 0; i < huffman->count; i++) {
    if (huffman->lengths[i] > HUFFMAN_BITS) return false;
    if (huffman->lengths[i]) sum += HUFFMAN_ENTRIES >> huffman->lengths[i];
  }
  return sum == HUFFMAN_ENTRIES;
}

/* ---- the stored form ---- */

void huffman_store(const struct huffman *huffman, uint8_t *stored) {
  memset(stored, 0, huffman_stored_size(huffman->count));
  for (unsigned i = 0; i < huffman->count; i++)
    stored[i / 2] |= (uint8_t)(huffman->lengths[i] << (i % 2 * 4));
}

bool huffman_load(const uint8_t *stored, unsigned count, struct huffman *huffman) {
  memset(huffman, 0, sizeof *huffman);
  if (count < 2 || count > 256) return false;
  huffman->count = (uint16_t)count;
  for (unsigned i = 0; i < count; i++)
    huffman->lengths[i] = stored[i / 2] >> (i % 2 * 4) & 15;
  return huffman_is_complete(huffman);
}

/* ---- codes ---- */

/* Symbols by length, then by value: what canonical codes are numbered in. Returns how many. */
static unsigned in_order(const struct huffman *huffman, uint8_t order[256]) {
  unsigned starts[HUFFMAN_BITS + 2] = {0}, total = 0;
  for (unsigned i = 0; i < huffman->count; i++)
    if (huffman->lengths[i]) starts[huffman->lengths[i] + 1]++;
  for (unsigned length = 1; length < HUFFMAN_BITS + 2; length++)
    starts[length] += starts[length - 1];
  for (unsigned i = 0; i < huffman->count; i++) {
    if (!huffman->lengths[i]) continue;
    order[starts[huffman->lengths[i]]++] = (uint8_t)i;
    total++;
  }
  return total;
}

void huffman_encoder_init(struct huffman_encoder *encoder, const struct huffman *huffman) {
  uint8_t order[256];
  unsigned total = in_order(huffman, order), code = 0, previous = 0;
  memset(encoder, 0, sizeof *encoder);
  for (unsigned i = 0; i < total; i++) {
    unsigned length = huffman->lengths[order[i]];
    code <<= length - previous;
    previous = length;
    encoder->codes[order[i]] = (uint16_t)(code++ << 4 | length);
  }
}

/* Four codes are put together before they meet the bits in front of them, which is what each round
 * has to wait for. */
size_t huffman_encode(const struct huffman_encoder *encoder, const uint8_t *symbols, size_t count,
                      uint8_t *stream) {
  const uint16_t *codes = encoder->codes;
  uint8_t *at = stream;
  uint64_t bits = 0; /* the lowest `filled` of them wait to be written */
  unsigned filled = 0;
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    uint64_t a = codes[symbols[i]], b = codes[symbols[i + 1]];
    uint64_t c = codes[symbols[i + 2]], d = codes[symbols[i + 3]];
    uint64_t ab = a >> 4 << (b & 15) | b >> 4, cd = c >> 4 << (d & 15) | d >> 4;
    unsigned second = (unsigned)((c & 15) + (d & 15));
    unsigned length = (unsigned)((a & 15) + (b & 15)) + second;
    bits = bits << length | ab << second | cd;
    filled += length;
    uint64_t word = __builtin_bswap64(bits << (64 - filled));
    memcpy(at, &word, 8);
    at += filled >> 3;
    filled &= 7;
  }
  for (; i < count; i++) {
    unsigned code = codes[symbols[i]];
    bits = bits << (code & 15) | code >> 4;
    filled += code & 15;
    uint64_t word = __builtin_bswap64(bits << (64 - filled));
    memcpy(at, &word, 8);
    at += filled >> 3;
    filled &= 7;
  }
  return (size_t)(at - stream) + (filled != 0);
}

void huffman_decoder_init(struct huffman_decoder *decoder, const struct huffman *huffman,
                          void (*compose)(struct huffman_decoder *decoder, const uint8_t *symbols,
                                          const uint8_t *lengths, unsigned count)) {
  uint8_t order[256], lengths[256];
  unsigned total = in_order(huffman, order);
  for (unsigned i = 0; i < total; i++)
    lengths[i] = huffman->lengths[order[i]];
  compose(decoder, order, lengths, total);
}
