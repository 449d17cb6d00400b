/* How small images are, and how fast they are made and read.
 *
 * bench_codec [FILE or FOLDER…]: every CSV file below those, then generated sets: bits a value,
 * encoding and decoding in values a second of one core (CPU time, best of several runs over columns
 * that fit the cache), hot, cold and as small as zstd inside makes them, beside zstd -3, LZ4 and
 * plain copies in the same run; of floats also what published ways would take, and cold images of
 * them rounded within a bound first (the time of which counts as encoding). A cold image is decoded
 * with the tables of the one before kept, as a reader of a column does; "alone" without. Then the
 * loops alone, then the means over the folder `floats`. Every image is decoded and compared. */
#include <math.h>
#include <string.h>

#include "bench_codec.h"
#include "codec/codec_loops.h"
#include "codec/lossy.h"

struct figures {
  double bits, encode, decode; /* a value; ns */
  double alone;                /* decoding without tables of the image before */
  const char *codec;           /* of the first block */
};

void print_row(const char *way, const char *codec, double bits, double encode_ns,
               double decode_ns) {
  printf("  %-9s %-14s %9.3f bits %9.0f M/s in %9.0f M/s out\n", way, codec, bits, 1000 / encode_ns,
         1000 / decode_ns);
}

static void check(const struct column *want, const struct column *got) {
  bool same = want->length == got->length;
  if (same && !type_is_string(want->type))
    same = !memcmp(want->u64, got->u64, (size_t)want->length * 8);
  for (int64_t i = 0; same && type_is_string(want->type) && i < want->length; i++)
    same = str_equal(column_str(want, i), column_str(got, i));
  if (same) return;
  fprintf(stderr, "an image that decodes to something else\n");
  abort();
}

static struct column block_of(const struct column *all, int64_t from) {
  struct column block = *all;
  block.length = all->length - from < CODEC_ROWS_MAX ? all->length - from : CODEC_ROWS_MAX;
  if (type_is_string(all->type))
    block.offsets = all->offsets + from;
  else
    block.u64 = all->u64 + from;
  return block;
}

static void decode_all(const struct column *all, const struct buffer *buffer, struct arena *arena,
                       struct codec_tables *tables, bool first, struct figures *figures) {
  static VECTOR_ALIGNED uint64_t values[CODEC_ROWS_MAX];
  size_t at = 0;
  for (int64_t from = 0; from < all->length; from += CODEC_ROWS_MAX) {
    struct column block = block_of(all, from), got = block;
    struct codec_image image;
    int code = codec_open(buffer->data + at, buffer->size - at, all->type, (uint32_t)block.length,
                          &image, NULL);
    image.tables = tables;
    if (!code && type_is_string(all->type))
      code = codec_decode(&image, 0, image.rows, arena, &got, NULL);
    else if (!code)
      code = codec_decode_into(&image, 0, image.rows, values, NULL, NULL, NULL);
    if (code) abort();
    if (!type_is_string(all->type)) got.u64 = values;
    if (first) check(&block, &got);
    if (from == 0) figures->codec = codec_name(image.codec);
    at += image.size;
    arena_reset(arena);
  }
}

/* Rounds floats block by block as a writer does with each body; the column is then `rounded`. */
static void round_all(const struct lossy_bound *bound, const struct column *all, double *rounded) {
  for (int64_t from = 0; from < all->length; from += CODEC_ROWS_MAX)
    (void)codec_round(bound, all->f64 + from, (size_t)block_of(all, from).length, rounded + from);
}

/* `bound`: floats are rounded first; or NULL. */
static struct figures measure_level(struct bench *bench, const struct column *given,
                                    enum codec_level level, const struct lossy_bound *bound) {
  static double rounded[VALUES_MAX];
  static struct codec_tables tables;
  struct figures figures = {.encode = INFINITY, .decode = INFINITY, .alone = INFINITY};
  struct buffer buffer;
  struct arena arena;
  buffer_init(&buffer, &bench->account);
  arena_init(&arena, &bench->account, 1 << 20);
  struct column view = *given;
  const struct column *all = &view;
  if (bound) view.f64 = rounded;
  double begin = cpu_ns(bench);
  for (int run = 0; run < RUNS || cpu_ns(bench) - begin < ENOUGH_NS; run++) {
    struct codec_hint hint = {0};
    buffer_reset(&buffer);
    double start = cpu_ns(bench);
    if (bound) round_all(bound, given, rounded);
    for (int64_t from = 0; from < all->length; from += CODEC_ROWS_MAX) {
      struct column block = block_of(all, from);
      if (codec_encode(&block, level, &hint, &buffer, NULL)) abort();
    }
    figures.encode = fmin(figures.encode, cpu_ns(bench) - start);
    start = cpu_ns(bench);
    decode_all(all, &buffer, &arena, &tables, run == 0, &figures);
    if (run > 0) figures.decode = fmin(figures.decode, cpu_ns(bench) - start);
    start = cpu_ns(bench);
    decode_all(all, &buffer, &arena, NULL, false, &figures);
    figures.alone = fmin(figures.alone, cpu_ns(bench) - start);
  }
  figures.bits = (double)buffer.size * 8 / (double)all->length;
  figures.encode /= (double)all->length;
  figures.decode /= (double)all->length;
  figures.alone /= (double)all->length;
  arena_deinit(&arena);
  buffer_deinit(&buffer);
  return figures;
}

static void add(struct mean *mean, const struct figures *hot, const struct figures *cold) {
  mean->sets++;
  mean->hot += hot->bits;
  mean->cold += cold->bits;
}

/* Against the best of the published ways for floats. */
static void compare(struct bench *bench, const struct data_set *set, const struct column *column,
                    const struct figures *hot) {
  double more = hot->bits / rivals_measure(column) - 1;
  printf("  hot against the best of these: %+.1f %%\n", more * 100);
  if (bench->worst_name[0] && more <= bench->worst) return;
  bench->worst = more;
  snprintf(bench->worst_name, sizeof bench->worst_name, "%s", set->name);
}

/* What a bound saves: by a digit fewer than two decimals have, and by a thousandth. */
static void measure_lossy(struct bench *bench, const struct column *column) {
  static const struct {
    const char *name;
    struct lossy_bound bound;
  } bounds[] = {{"1 decimal", {LOSSY_DECIMALS, 1, 0}},
                {"+-0.005", {LOSSY_ABSOLUTE, 0, 0.005}},
                {"+-0.1 %", {LOSSY_RELATIVE, 0, 0.001}}};
  for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
    struct figures lossy = measure_level(bench, column, CODEC_COLD, &bounds[i].bound);
    print_row(bounds[i].name, lossy.codec, lossy.bits, lossy.encode, lossy.decode);
  }
}

static void measure(struct bench *bench, const struct data_set *set) {
  struct column column = builder_view(&set->values);
  printf("%s, %lld values", set->name, (long long)column.length);
  if (set->entropy > 0) printf(", entropy %.2f bits", set->entropy);
  printf("\n");
  struct figures hot = measure_level(bench, &column, CODEC_HOT, NULL);
  print_row("hot", hot.codec, hot.bits, hot.encode, hot.decode);
  struct figures cold = measure_level(bench, &column, CODEC_COLD, NULL);
  print_row("cold", cold.codec, cold.bits, cold.encode, cold.decode);
  print_row("alone", cold.codec, cold.bits, cold.encode, cold.alone);
  struct figures smallest = measure_level(bench, &column, CODEC_SMALLEST, NULL);
  print_row("zstd", smallest.codec, smallest.bits, smallest.encode, smallest.decode);
  if (column.type.physical == PHYSICAL_FLOAT64) measure_lossy(bench, &column);
  peers_measure(bench, &column);
  if (column.type.physical == PHYSICAL_FLOAT64) compare(bench, set, &column, &hot);
  if (!set->is_float_set) return;
  add(&bench->floats, &hot, &cold);
  if (!strncmp(hot.codec, "decimal", 7)) add(&bench->decimals, &hot, &cold);
}

static void print_mean(const char *what, const struct mean *mean) {
  if (mean->sets)
    printf("mean bits a value of %d %s: %.2f hot, %.2f cold\n", mean->sets, what,
           mean->hot / mean->sets, mean->cold / mean->sets);
}

int main(int argc, char **argv) {
  static struct bench bench;
  mem_account_init(&bench.account, "bench", NULL, 0);
  if (os_real_create(&bench.os, NULL)) return 1;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc; i++)
    data_of_folder(&bench, argv[i], measure);
  data_generated(&bench, measure);
  kernels_measure(&bench);
  print_mean("float sets", &bench.floats);
  printf("floats against the best of ALP, ALP-RD and decimal delta: at worst %+.1f %%, %s\n",
         bench.worst * 100, bench.worst_name);
  print_mean("of them that are stored as decimals", &bench.decimals);
  os_destroy(bench.os);
  mem_account_deinit(&bench.account);
  return 0;
}
