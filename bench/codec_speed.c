/* How small images are and how fast they are made and read.
 *
 * Without arguments: random walks as the TSBS data has them, as integers and as two-decimal floats,
 * times, noise. With arguments: files, or folders of files, with one number a line. Blocks of 8,192
 * (and of 360) values; speeds are the best of several runs over one column that fits the cache. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec.h"
#include "os/os.h"

enum { VALUES = 131072, RUNS = 7 };

static struct mem_account account;
static struct os *os;
static uint64_t random_state = 1;

static double random_unit(void) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return (double)((z ^ (z >> 31)) >> 11) / 0x1p53;
}
static double random_normal(void) {
  return sqrt(-2 * log(1 - random_unit())) * cos(6.283185307179586 * random_unit());
}

struct figures {
  double bytes;  /* a value */
  double encode; /* ns a value */
  double decode;
  int codec; /* of the first block */
};

static void measure(const struct column *all, int64_t rows, enum codec_level level,
                    struct figures *figures) {
  struct buffer buffer;
  size_t starts[VALUES / 64 + 1], count = 0;
  static uint64_t out[CODEC_ROWS_MAX];
  *figures = (struct figures){.encode = INFINITY, .decode = INFINITY};
  buffer_init(&buffer, &account);
  for (int run = 0; run < RUNS; run++) {
    struct codec_hint hint = {0};
    buffer_reset(&buffer);
    int64_t start = os_thread_cpu_ns(os);
    count = 0;
    for (int64_t at = 0; at < all->length; at += rows) {
      struct column block = *all;
      block.length = all->length - at < rows ? all->length - at : rows;
      block.u64 = all->u64 + at;
      starts[count++] = buffer.size;
      if (codec_encode(&block, level, &hint, &buffer, NULL)) abort();
    }
    double ns = (double)(os_thread_cpu_ns(os) - start) / (double)all->length;
    if (ns < figures->encode) figures->encode = ns;
    start = os_thread_cpu_ns(os);
    for (size_t i = 0; i < count; i++) {
      struct codec_image image;
      int64_t rest = all->length - (int64_t)i * rows;
      uint32_t size = (uint32_t)(rest < rows ? rest : rows);
      if (codec_open(buffer.data + starts[i], buffer.size - starts[i], all->type, size, &image,
                     NULL) ||
          codec_decode_into(&image, 0, size, out, NULL, NULL, NULL))
        abort();
      if (run == 0 && memcmp(out, all->u64 + (int64_t)i * rows, size * 8)) abort();
      figures->codec = image.codec;
    }
    ns = (double)(os_thread_cpu_ns(os) - start) / (double)all->length;
    if (ns < figures->decode) figures->decode = ns;
  }
  figures->bytes = (double)buffer.size / (double)all->length;
  buffer_deinit(&buffer);
}

static void report(const char *name, struct type type, const uint64_t *values, int64_t length) {
  static const struct {
    const char *name;
    int64_t rows;
    enum codec_level level;
  } ways[] = {{"fast", 8192, CODEC_FAST},
              {"hot", 8192, CODEC_HOT},
              {"cold", 8192, CODEC_COLD},
              {"hot 360", 360, CODEC_HOT},
              {"cold 360", 360, CODEC_COLD}};
  struct column column = {.type = type, .length = length, .u64 = values};
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    struct figures figures;
    measure(&column, ways[i].rows, ways[i].level, &figures);
    printf("%-28.28s %-8s %-14s %8.4f B/value %7.2f bits  encode %7.0f M/s  decode %7.0f M/s\n",
           name, ways[i].name, codec_name(figures.codec), figures.bytes, figures.bytes * 8,
           1000 / figures.encode, 1000 / figures.decode);
  }
}

static uint64_t values[VALUES];
static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}

/* Random walks with steps N(0, 1) between 0 and 100, `rows` values each, as whole numbers or as
 * fractions of `scale`. */
static void walk(double scale, bool floats, size_t rows) {
  double at = 0;
  for (size_t i = 0; i < VALUES; i++) {
    if (i % rows == 0) at = random_unit() * 100;
    at = fmin(100, fmax(0, at + random_normal()));
    double rounded = rint(at * scale);
    values[i] = floats ? bits_of(rounded / scale) : (uint64_t)(int64_t)rounded;
  }
}

static void synthetic(void) {
  walk(1, false, VALUES);
  report("walk, integers", TYPE_INT64, values, VALUES);
  walk(100, true, VALUES);
  report("walk, two decimals", TYPE_FLOAT64, values, VALUES);
  walk(1, false, 360);
  report("walks of 360, integers", TYPE_INT64, values, VALUES);
  walk(100, true, 360);
  report("walks of 360, two decimals", TYPE_FLOAT64, values, VALUES);
  walk(100, true, 5);
  report("walks of 5, two decimals", TYPE_FLOAT64, values, VALUES);
  for (size_t i = 0; i < VALUES; i++)
    values[i] = UINT64_C(1451606400000000000) + i * UINT64_C(10000000000);
  report("times, every 10 s", TYPE_TIMESTAMP(0), values, VALUES);
  for (size_t i = 0; i < VALUES; i++)
    values[i] = UINT64_C(1451606400000000000) + i % 360 * UINT64_C(10000000000);
  report("times, runs of 360", TYPE_TIMESTAMP(0), values, VALUES);
  for (size_t i = 0; i < VALUES; i++)
    values[i] = UINT64_C(1451606400000000000) +
                (i * 10000 + (uint64_t)(random_unit() * 1000)) * UINT64_C(1000000);
  report("times, ms jitter", TYPE_TIMESTAMP(0), values, VALUES);
  for (size_t i = 0; i < VALUES; i++)
    values[i] = bits_of(random_unit());
  report("noise", TYPE_FLOAT64, values, VALUES);
  for (size_t i = 0; i < VALUES; i++)
    values[i] = (uint64_t)(random_unit() * 1000);
  report("integers below 1,000", TYPE_INT64, values, VALUES);
}

static void file(const char *path) {
  FILE *stream = fopen(path, "r");
  char line[256];
  int64_t count = 0;
  if (!stream) {
    perror(path);
    return;
  }
  while (count < VALUES && fgets(line, sizeof line, stream)) {
    char *end;
    double value = strtod(line, &end);
    if (end != line) values[count++] = bits_of(value);
  }
  fclose(stream);
  const char *name = strrchr(path, '/');
  if (count) report(name ? name + 1 : path, TYPE_FLOAT64, values, count);
}

static void folder_or_file(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) {
    file(path);
    return;
  }
  for (struct dirent *entry; (entry = readdir(folder));) {
    char name[4096];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    file(name);
  }
  closedir(folder);
}

int main(int argc, char **argv) {
  mem_account_init(&account, "codec_speed", NULL, 0);
  if (os_real_create(&os, NULL)) return 1;
  if (argc == 1) synthetic();
  for (int i = 1; i < argc; i++)
    folder_or_file(argv[i]);
  os_destroy(os);
  return 0;
}
