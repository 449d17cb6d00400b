/* What general compressors make of the same bytes, in blocks of as many values, and what a plain
 * copy takes. The bytes of strings are theirs one after another; their lengths are not counted. */
#include <math.h>
#include <string.h>
#include <zstd.h>
#ifdef NILO_LZ4
#include <lz4.h>
#endif

#include "bench_codec.h"

struct peer {
  const char *name;
  size_t (*bound)(size_t size);
  size_t (*compress)(void *to, size_t room, const void *from, size_t size);
  size_t (*decompress)(void *to, size_t room, const void *from, size_t size);
};

static size_t zstd_bound(size_t size) { return ZSTD_compressBound(size); }
static size_t zstd_compress(void *to, size_t room, const void *from, size_t size) {
  return ZSTD_compress(to, room, from, size, 3);
}
static size_t zstd_decompress(void *to, size_t room, const void *from, size_t size) {
  return ZSTD_decompress(to, room, from, size);
}
#ifdef NILO_LZ4
static size_t lz4_bound(size_t size) { return (size_t)LZ4_compressBound((int)size); }
static size_t lz4_compress(void *to, size_t room, const void *from, size_t size) {
  return (size_t)LZ4_compress_default(from, to, (int)size, (int)room);
}
static size_t lz4_decompress(void *to, size_t room, const void *from, size_t size) {
  return (size_t)LZ4_decompress_safe(from, to, (int)size, (int)room);
}
#endif
static size_t copy_bound(size_t size) { return size; }
static size_t copy(void *to, size_t room, const void *from, size_t size) {
  (void)room;
  memcpy(to, from, size);
  __asm__ volatile("" : : "r"(to) : "memory");
  return size;
}

static const struct peer peers[] = {
    {"zstd -3", zstd_bound, zstd_compress, zstd_decompress},
#ifdef NILO_LZ4
    {"lz4", lz4_bound, lz4_compress, lz4_decompress},
#endif
    {"memcpy", copy_bound, copy, copy},
};

/* The bytes of rows [from, to). */
static const char *bytes_of(const struct column *column, int64_t from, int64_t to, size_t *size) {
  if (type_is_string(column->type)) {
    *size = (size_t)(column->offsets[to] - column->offsets[from]);
    return column->data + column->offsets[from];
  }
  *size = (size_t)(to - from) * 8;
  return (const char *)(column->u64 + from);
}

static void measure(struct bench *bench, const struct column *column, const struct peer *peer) {
  double encode = INFINITY, decode = INFINITY;
  size_t total = 0;
  for (int run = 0; run < RUNS; run++) {
    double to_encode = 0, to_decode = 0;
    total = 0;
    for (int64_t from = 0; from < column->length; from += CODEC_ROWS_MAX) {
      int64_t to = from + CODEC_ROWS_MAX < column->length ? from + CODEC_ROWS_MAX : column->length;
      size_t size, room;
      const char *bytes = bytes_of(column, from, to, &size);
      room = peer->bound(size);
      char *packed = malloc(room + 1), *back = malloc(size + 1);
      if (!packed || !back) abort();
      memset(packed, 1, room); /* or the first touch would be measured */
      memset(back, 1, size);
      double start = cpu_ns(bench);
      size_t packed_size = peer->compress(packed, room, bytes, size);
      to_encode += cpu_ns(bench) - start;
      start = cpu_ns(bench);
      size_t back_size = peer->decompress(back, size, packed, packed_size);
      to_decode += cpu_ns(bench) - start;
      if (back_size != size || memcmp(back, bytes, size)) abort();
      total += packed_size;
      free(packed);
      free(back);
    }
    encode = fmin(encode, to_encode);
    decode = fmin(decode, to_decode);
  }
  double rows = (double)column->length;
  print_row(peer->name, "", (double)total * 8 / rows, encode / rows, decode / rows);
}

void peers_measure(struct bench *bench, const struct column *column) {
  for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++)
    measure(bench, column, &peers[i]);
}
