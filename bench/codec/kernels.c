/* The loops alone: what one core does with packed values that stay in its cache, and what it sums
 * from memory. */
#include <math.h>
#include <string.h>

#include "bench_codec.h"
#include "codec/codec_kernels.h"
#include "codec/codec_loops.h"

enum { MEMORY_BLOCKS = 8192, ROUNDS = 20000 };

static VECTOR_ALIGNED uint32_t fields[CODEC_VECTOR];
static VECTOR_ALIGNED uint64_t wide[CODEC_VECTOR];
static VECTOR_ALIGNED packed_word packed[CODEC_VECTOR];
static unsigned width;

static void keep(const void *memory) { __asm__ volatile("" : : "r"(memory) : "memory"); }

static void unpack(const struct codec_loops *loops) {
  loops->unpack[width](packed, fields);
  keep(fields);
}
static void unpack_for(const struct codec_loops *loops) {
  loops->unpack[width](packed, fields);
  loops->widen(fields, CODEC_VECTOR, 1000, 1, wide);
  keep(wide);
}
/* Sums of differences in their natural order, as numbers of 32 bits. */
static void unpack_sums(const struct codec_loops *loops) {
  loops->unpack[width](packed, fields);
  loops->sum_fields(fields, CODEC_VECTOR, 1000, 3, width <= 11);
  keep(fields);
}
static void unpack_delta(const struct codec_loops *loops) {
  loops->unpack[width](packed, fields);
  loops->sum_wide(fields, CODEC_VECTOR, 1000, 3, width <= 11, wide);
  keep(wide);
}
static void unpack_decimal(const struct codec_loops *loops) {
  loops->unpack[width](packed, fields);
  loops->undecimal_fields(fields, CODEC_VECTOR, 1000, 100, wide);
  keep(wide);
}
static void copy(const struct codec_loops *loops) {
  (void)loops;
  memcpy(fields, packed, sizeof fields);
  keep(fields);
}

static double speed(struct bench *bench, void (*kernel)(const struct codec_loops *loops)) {
  const struct codec_loops *loops = codec__loops();
  double best = INFINITY;
  for (int run = 0; run < RUNS; run++) {
    double start = cpu_ns(bench);
    for (int i = 0; i < ROUNDS; i++)
      kernel(loops);
    best = fmin(best, cpu_ns(bench) - start);
  }
  return (double)ROUNDS * CODEC_VECTOR / best;
}

/* Images of `column`, copied until they are far more than the cache holds, and summed. */
static void sum_from_memory(struct bench *bench, const char *name, struct column column,
                            enum codec_level level) {
  struct buffer buffer;
  struct column_statistics statistics;
  buffer_init(&buffer, &bench->account);
  if (codec_encode(&column, level, NULL, &buffer, NULL)) abort();
  size_t size = buffer.size;
  uint8_t *images = malloc(size * MEMORY_BLOCKS);
  if (!images) abort();
  for (size_t i = 0; i < MEMORY_BLOCKS; i++)
    memcpy(images + i * size, buffer.data, size);
  double best = INFINITY;
  for (int run = 0; run < RUNS; run++) {
    double start = cpu_ns(bench);
    for (size_t i = 0; i < MEMORY_BLOCKS; i++) {
      struct codec_image image;
      if (codec_open(images + i * size, size, column.type, CODEC_ROWS_MAX, &image, NULL) ||
          codec_statistics(&image, 0, CODEC_ROWS_MAX, &statistics, NULL))
        abort();
    }
    best = fmin(best, cpu_ns(bench) - start);
  }
  printf("  %-30s %6.2f (%zu MB)\n", name, (double)CODEC_ROWS_MAX * MEMORY_BLOCKS / best,
         size * MEMORY_BLOCKS >> 20);
  free(images);
  buffer_deinit(&buffer);
}

static void sums_measure(struct bench *bench) {
  static uint64_t values[CODEC_ROWS_MAX];
  struct column column = {.type = TYPE_INT64, .length = CODEC_ROWS_MAX, .u64 = values};
  printf("count, sum, min and max of images from memory, billions of values a second\n");
  for (uint32_t i = 0; i < CODEC_ROWS_MAX; i++)
    values[i] = (i * 2654435761u) >> 22;
  sum_from_memory(bench, "integers of 10 bits, hot", column, CODEC_HOT);
  sum_from_memory(bench, "integers of 10 bits, cold", column, CODEC_COLD);
  for (uint32_t i = 0; i < CODEC_ROWS_MAX; i++)
    values[i] = i + ((i * 2654435761u) >> 30);
  sum_from_memory(bench, "differences of 3 bits, hot", column, CODEC_HOT);
  column.type = TYPE_FLOAT64;
  for (uint32_t i = 0; i < CODEC_ROWS_MAX; i++) {
    double value = (double)((i * 2654435761u) >> 22) / 100;
    memcpy(&values[i], &value, 8);
  }
  sum_from_memory(bench, "two decimals of 10 bits, hot", column, CODEC_HOT);
}

void kernels_measure(struct bench *bench) {
  const struct codec_loops *loops = codec__loops();
  printf("kernels on hot images, billions of values a second of one core, from the cache\n");
  printf("  %5s %12s %12s %12s %12s %12s\n", "bits", "for, 32", "for, 64", "delta, 32", "delta, 64",
         "decimals");
  for (width = 1; width <= 32; width += width < 16 ? 1 : 4) {
    for (size_t i = 0; i < CODEC_VECTOR; i++)
      fields[i] = (uint32_t)(i * 2654435761u) >> (32 - width);
    loops->pack[width](fields, packed);
    printf("  %5u %12.1f %12.1f %12.1f %12.1f %12.1f\n", width, speed(bench, unpack),
           speed(bench, unpack_for), speed(bench, unpack_sums), speed(bench, unpack_delta),
           speed(bench, unpack_decimal));
  }
  printf("  memcpy of 32-bit values %.1f\n", speed(bench, copy));
  sums_measure(bench);
}
