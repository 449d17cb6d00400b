/* Building and storing codes (Huffman, "A Method for the Construction of Minimum-Redundancy Codes",
 * 1952), limited in length by moving codes until their shares add up to 1 again; the tables of
 * encoder and decoder. Encoding and decoding are loops (codec_streams.inc). */
#include "codec/huffman.h"

#include <string.h>

/* ---- lengths ---- */

struct node {
  uint32_t weight;
  int16_t parent;
  uint8_t symbol;
};

/* Sorts by weight, then by symbol: they come in the order of symbols, and counting keeps it. */
static void sort_by_weight(struct node *nodes, int count) {
  struct node other[256], *from = nodes, *to = other;
  uint32_t all = 0;
  for (int i = 0; i < count; i++)
    all |= nodes[i].weight;
  for (unsigned shift = 0; all >> shift && shift < 32; shift += 7) {
    uint16_t starts[129] = {0};
    for (int i = 0; i < count; i++)
      starts[(from[i].weight >> shift & 127) + 1]++;
    for (int i = 0; i < 128; i++)
      starts[i + 1] = (uint16_t)(starts[i + 1] + starts[i]);
    for (int i = 0; i < count; i++)
      to[starts[from[i].weight >> shift & 127]++] = from[i];
    struct node *swap = from;
    from = to;
    to = swap;
  }
  if (from != nodes) memcpy(nodes, from, (size_t)count * sizeof *nodes);
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
  sort_by_weight(nodes, leaves);
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

/* The shares 2^-length in units of the smallest; longer ones are too many. */
static const uint16_t shares[16] = {0, 1024, 512, 256, 128,   64,    32,    16,
                                    8, 4,    2,   1,   40000, 40000, 40000, 40000};
_Static_assert(HUFFMAN_BITS == 11, "the shares of the lengths that there are");

bool huffman_is_complete(const struct huffman *huffman) {
  uint32_t sum = 0;
  if (huffman->count < 2 || huffman->count > 256 || !huffman->lengths[0]) return false;
  for (unsigned i = 0; i < huffman->count; i++)
    sum += huffman->lengths[i] < 16 ? shares[huffman->lengths[i]] : HUFFMAN_ENTRIES + 1;
  return sum == HUFFMAN_ENTRIES;
}

bool huffman_is_stored(const uint8_t *stored, unsigned count) {
  uint32_t sum = 0;
  if (count < 2 || count > 256 || !(stored[0] & 15)) return false;
  for (unsigned i = 0; i < count / 2; i++)
    sum += shares[stored[i] & 15] + (uint32_t)shares[stored[i] >> 4];
  if (count & 1) sum += shares[stored[count / 2] & 15];
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
  if (!huffman_is_stored(stored, count)) return false;
  huffman->count = (uint16_t)count;
  for (unsigned i = 0; i < count; i++)
    huffman->lengths[i] = stored[i / 2] >> (i % 2 * 4) & 15;
  return true;
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
  for (unsigned i = 0; i < 256; i++)
    encoder->codes[i] = HUFFMAN_NO_CODE;
  for (unsigned i = 0; i < total; i++) {
    unsigned length = huffman->lengths[order[i]];
    code <<= length - previous;
    previous = length;
    encoder->codes[order[i]] = code++ << 8 | length;
  }
}

void huffman_decoder_init(struct huffman_decoder *decoder, const struct huffman *huffman,
                          bool steps,
                          void (*compose)(struct huffman_decoder *decoder, const uint8_t *symbols,
                                          const uint8_t *lengths, unsigned count)) {
  uint8_t order[256], lengths[256];
  unsigned total = in_order(huffman, order);
  for (unsigned i = 0; i < total; i++) {
    unsigned symbol = order[i];
    lengths[i] = huffman->lengths[symbol];
    if (steps) order[i] = (uint8_t)(symbol >> 1 ^ (0 - (symbol & 1)));
  }
  compose(decoder, order, lengths, total);
}
