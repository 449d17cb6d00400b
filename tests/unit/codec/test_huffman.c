/* Prefix codes: complete whatever the frequencies, near the entropy, and decoded alike by every
 * build, alone or several at once, from any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "codec/codec_loops.h"
#include "codec/codec_private.h"
#include "kernel/isa.h"

enum { SEED = 1952, COUNT = 1024 };

static const struct codec_loops *const builds[ISA_COUNT] = {&codec__loops_base, &codec__loops_avx2,
                                                            &codec__loops_avx512};
static uint64_t random_state = SEED;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Frequencies of many shapes: flat, falling by a factor, with gaps, one symbol only. */
static void random_counts(uint32_t counts[256]) {
  unsigned used = 1 + (unsigned)(random_u64() % 256), shape = (unsigned)(random_u64() % 4);
  double factor = 0.3 + (double)(random_u64() % 700) / 1000, at = 8000;
  memset(counts, 0, 256 * sizeof *counts);
  for (unsigned i = 0; i < used; i++, at *= factor) {
    counts[i] = shape == 0 ? 5 : shape == 1 ? (uint32_t)at : (uint32_t)(random_u64() % 60);
    if (shape == 3 && random_u64() % 3) counts[i] = 0;
  }
}

/* Symbols of those frequencies, of which each has a code. */
static void draw(const struct huffman *huffman, const uint32_t counts[256], uint8_t *symbols,
                 size_t count) {
  uint64_t total = 0;
  for (unsigned i = 0; i < 256; i++)
    total += counts[i];
  for (size_t s = 0; s < count; s++) {
    uint64_t at = total ? random_u64() % total : 0;
    unsigned i = 0;
    while (total && at >= counts[i])
      at -= counts[i++];
    symbols[s] = huffman->lengths[i] ? (uint8_t)i : 0;
  }
}

static void test_codes_are_complete_and_short(void **state) {
  (void)state;
  printf("seed %d\n", SEED);
  for (int round = 0; round < 2000; round++) {
    uint32_t counts[256];
    struct huffman huffman, loaded;
    uint8_t stored[128];
    random_counts(counts);
    huffman_build(counts, &huffman);
    assert_true(huffman_is_complete(&huffman));
    double entropy = 0, bits = 0, total = 0;
    for (unsigned i = 0; i < 256; i++)
      total += counts[i];
    for (unsigned i = 0; i < 256; i++) {
      if (!counts[i]) continue;
      assert_in_range(huffman.lengths[i], 1, HUFFMAN_BITS);
      entropy += counts[i] * log2(total / counts[i]);
      bits += (double)counts[i] * huffman.lengths[i];
    }
    assert_true(bits <= entropy + 1.01 * total + 16); /* less than a bit a symbol is lost */
    huffman_store(&huffman, stored);
    assert_true(huffman_load(stored, huffman.count, &loaded));
    assert_memory_equal(&huffman, &loaded, sizeof huffman);
  }
}

static void test_incomplete_codes_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name;
    unsigned count;
    uint8_t stored[4];
    bool good;
  } rows[] = {
      {"two symbols of one bit", 2, {0x11}, true},
      {"one, two, two", 3, {0x21, 0x02}, true},
      {"a side without a symbol", 2, {0x21}, false},
      {"too many", 3, {0x11, 0x01}, false},
      {"no code for symbol 0", 3, {0x10, 0x01}, false},
      {"a code of 12 bits", 2, {0xc1}, false},
      {"a single symbol", 1, {0x01}, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct huffman huffman;
    if (huffman_load(rows[i].stored, rows[i].count, &huffman) != rows[i].good)
      fail_msg("%s", rows[i].name);
  }
}

struct drawn {
  uint8_t symbols[HUFFMAN_STREAMS][COUNT], bytes[HUFFMAN_STREAMS * (COUNT * 2 + 8)];
  uint8_t decoded[HUFFMAN_STREAMS][COUNT + HUFFMAN_OVERRUN];
  struct huffman_stream streams[HUFFMAN_STREAMS];
};

static void test_round_trips(void **state) {
  (void)state;
  static struct drawn drawn;
  static struct huffman_decoder decoder;
  for (int round = 0; round < 1000; round++) {
    uint32_t counts[256];
    struct huffman huffman;
    struct huffman_encoder encoder;
    random_counts(counts);
    huffman_build(counts, &huffman);
    huffman_encoder_init(&encoder, &huffman);
    unsigned streams = 1 + (unsigned)(random_u64() % HUFFMAN_STREAMS);
    size_t at = 0;
    bool covered;
    for (unsigned i = 0; i < streams; i++) {
      struct huffman_stream *stream = &drawn.streams[i];
      stream->count = round % 2 ? COUNT : 1 + random_u64() % COUNT;
      draw(&huffman, counts, drawn.symbols[i], stream->count);
      stream->bytes = drawn.bytes + at;
      at += codec__loops()->encode_stream(&encoder, drawn.symbols[i], stream->count,
                                          drawn.bytes + at, &covered);
      assert_true(covered);
      stream->symbols = drawn.decoded[i];
    }
    uint8_t *exact = malloc(at); /* so that a sanitizer sees a step outside */
    memcpy(exact, drawn.bytes, at);
    for (unsigned i = 0; i < streams; i++) {
      drawn.streams[i].bytes = exact + (drawn.streams[i].bytes - drawn.bytes);
      drawn.streams[i].end = exact + at;
    }
    for (enum isa isa = ISA_BASE; isa <= isa_best(); isa++) {
      memset(drawn.decoded, 0, sizeof drawn.decoded);
      huffman_decoder_init(&decoder, &huffman, false, builds[isa]->compose);
      builds[isa]->decode_streams(&decoder, drawn.streams, streams);
      for (unsigned i = 0; i < streams; i++)
        assert_memory_equal(drawn.decoded[i], drawn.symbols[i], drawn.streams[i].count);
    }
    free(exact);
  }
}

/* What is no stream of the code gives symbols all the same, the same in every build. */
static void test_any_bytes_decode_in_bounds(void **state) {
  (void)state;
  static struct drawn drawn;
  static struct huffman_decoder decoder;
  for (int round = 0; round < 300; round++) {
    uint32_t counts[256];
    struct huffman huffman;
    uint8_t want[HUFFMAN_STREAMS][COUNT];
    random_counts(counts);
    huffman_build(counts, &huffman);
    size_t size = random_u64() % 200;
    uint8_t *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
      bytes[i] = (uint8_t)random_u64();
    for (unsigned i = 0; i < HUFFMAN_STREAMS; i++)
      drawn.streams[i] =
          (struct huffman_stream){bytes + size * i / 4, bytes + size, drawn.decoded[i], COUNT};
    for (enum isa isa = ISA_BASE; isa <= isa_best(); isa++) {
      huffman_decoder_init(&decoder, &huffman, false, builds[isa]->compose);
      builds[isa]->decode_streams(&decoder, drawn.streams, HUFFMAN_STREAMS);
      for (unsigned i = 0; i < HUFFMAN_STREAMS; i++) {
        if (isa == ISA_BASE) memcpy(want[i], drawn.decoded[i], COUNT);
        assert_memory_equal(want[i], drawn.decoded[i], COUNT);
      }
    }
    free(bytes);
  }
}

static void test_weights(void **state) {
  (void)state;
  for (enum isa isa = ISA_BASE; isa <= isa_best(); isa++) {
    for (uint32_t n = 0; n < 16384; n++) {
      uint32_t counts[16] = {n, 0, n / 2};
      double want = 0;
      for (int i = 0; i < 3; i++)
        want += counts[i] ? counts[i] * log2(counts[i]) : 0;
      uint64_t got = builds[isa]->weights(counts, 16);
      if (fabs((double)got / 256 - want) > 0.0002 * 1.5 * n + 0.01)
        fail_msg("%u: %f, not %f", n, (double)got / 256, want);
      assert_int_equal(got, builds[ISA_BASE]->weights(counts, 16));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_codes_are_complete_and_short),
      cmocka_unit_test(test_incomplete_codes_are_refused),
      cmocka_unit_test(test_round_trips),
      cmocka_unit_test(test_any_bytes_decode_in_bounds),
      cmocka_unit_test(test_weights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
