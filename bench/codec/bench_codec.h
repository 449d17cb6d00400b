/* Private to the measurement of the codecs: data sets, peers, kernels. */
#ifndef NILO_BENCH_CODEC_H
#define NILO_BENCH_CODEC_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/codec.h"
#include "columnar/builder.h"
#include "os/os.h"

/* The best of so many runs, and of more until so much time has gone: less says more of the noise of
 * the machine than of the code. */
enum { VALUES_MAX = 131072, RUNS = 9, ENOUGH_NS = 30000000 };

/* One column that is measured. */
struct data_set {
  char name[64];
  bool is_float_set; /* counts for the mean over the folder `floats` */
  double entropy;    /* bits a value, 0: not known */
  struct builder values;
};

struct bench {
  struct os *os;
  struct mem_account account;
  struct mean {
    int sets;
    double hot, cold; /* sums of bits a value */
  } floats, decimals; /* of the folder `floats`; those of them that are stored as decimals */
  double worst;       /* hot, against the best of the rivals: how much more, at most */
  char worst_name[64];
};

/* CPU nanoseconds of this thread. */
static inline double cpu_ns(struct bench *bench) { return (double)os_thread_cpu_ns(bench->os); }

/* data.c: each calls `measure` for every data set it finds or makes. */
typedef void measure_set(struct bench *bench, const struct data_set *set);
void data_of_folder(struct bench *bench, const char *path, measure_set *measure);
void data_generated(struct bench *bench, measure_set *measure);

/* peers.c: zstd -3, LZ4 and memcpy over the same bytes, a row each. */
void peers_measure(struct bench *bench, const struct column *column);

/* rivals.c: what floats would take in published ways, a row; returns the least bits a value. */
double rivals_measure(const struct column *column);

/* kernels.c: loops on values that stay in the cache. */
void kernels_measure(struct bench *bench);

/* A row of the table: bits a value, values a second. */
void print_row(const char *way, const char *codec, double bits, double encode_ns, double decode_ns);

#endif
