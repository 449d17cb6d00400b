/* What a shard is opened with: its directory and limits, and what the layer above decides about
 * each store. Public, like store.h, which includes it. */
#ifndef NILO_STORE_OPTIONS_H
#define NILO_STORE_OPTIONS_H

#include "base/memory.h"
#include "base/str.h"

struct buffer;
struct err;
struct logger;
struct metrics;
struct os;
struct store_part;
struct store_shard;

enum store_sync { STORE_SYNC_ALWAYS, STORE_SYNC_INTERVAL, STORE_SYNC_OFF };

/* How a directory is laid out. */
enum store_form {
  STORE_FORM_SHARD, /* any number of stores; a manifest log, parts and bundles in files */
  STORE_FORM_ALONE, /* one store, id 1; a snapshot file per publication, a directory per part */
};

enum { STORE_FILTERS_MAX = 64 };

/* What may differ from store to store and from day to day. The layer above keeps it; flushes and
 * merges ask for it each time (hooks->settings). All 0 is the default. */
struct store_settings {
  bool unknown; /* nothing can be said of the store now: its horizon stays where it is */
  uint64_t partition_width; /* in key units; 0: parts are not split by key */
  int64_t partition_origin; /* a key at which a partition begins */
  int64_t horizon;          /* rows with keys below it have expired (has_horizon) */
  bool has_horizon;
  /* Says which rule the horizon follows: as long as it is the same the horizon never goes back,
   * over restarts too. */
  uint64_t horizon_rule;
  /* Newest-wins policies: rows that are superseded or deleted stay for so many commits (of the
   * shard), so that they can be read as of them. */
  uint64_t history_commits;
  unsigned merge_level;  /* enum codec_level of merged parts; 0: CODEC_COLD */
  uint32_t filter_count; /* columns that get a Bloom filter (.tf) */
  uint32_t filters[STORE_FILTERS_MAX];
  double filter_false_positives; /* 0: 0.01 */
};

/* What the store needs from the layer above. All may be NULL. Called from any thread. */
struct store_hooks {
  /* First of all, before any other: the shard that the others are about. Snapshots of it may be
   * taken from then on, also while recovery still goes on. */
  void (*attach)(void *context, struct store_shard *shard);
  /* Recovery, in commit order, before store_shard_open returns: the note that a commit carried for
   * a store (its new series), for rows that are not flushed yet. */
  int (*replay)(void *context, uint64_t store, uint64_t commit, struct str note, struct err *err);
  /* A part of `store` is being written: append what it must carry about these series (ascending
   * ids) to `out`: the part's "series" section. `sections` are those of the parts that it is merged
   * from (an empty one for each part that has none); a flush has none. Must succeed for every
   * series that the notes or sections have ever named and whose rows still exist. */
  int (*describe)(void *context, uint64_t store, const uint64_t *series, size_t count,
                  struct store_part *const *sources, size_t source_count, struct buffer *out,
                  struct err *err);
  /* All rows of `store` up to `commit` now sit in parts on disk. */
  void (*flushed)(void *context, uint64_t store, uint64_t commit);
  /* `settings` comes with the defaults; called before each flush or merge of the store. */
  void (*settings)(void *context, uint64_t store, struct store_settings *settings);
  /* Rows of these stores that have expired are about to be given up, and with them what parts carry
   * about series that only they have. Returns once every commit that is made from now on carries
   * again what the parts to come need of its series. No lock is held. */
  void (*expiring)(void *context, const uint64_t *stores, size_t count);
  /* The name of a column, for parts that name their columns (STORE_FORM_ALONE). Appends it to
   * `out`; nothing: the column is named by its id. */
  int (*column_name)(void *context, uint64_t store, uint32_t column, struct buffer *out,
                     struct err *err);
};

struct store_options {
  const char *path; /* the directory; created if missing (its parent must exist) */
  enum store_form form;
  struct os *os;
  struct mem_account *account;     /* parent of the shard's accounts */
  struct logger *logger;           /* may be NULL */
  struct metrics *metrics;         /* may be NULL: where counters register */
  const struct store_hooks *hooks; /* may be NULL */
  void *hooks_context;
  enum store_sync sync;
  int64_t sync_interval_ns;   /* STORE_SYNC_INTERVAL: at most this much acknowledged time is lost */
  uint64_t log_segment_bytes; /* default 64 MiB */
  /* Stores that pin older segments are flushed beyond this: default 256 MiB. */
  uint64_t log_bytes_max;
  /* Unflushed rows in memory: flush begins at half of it; writers are slowed from 80 % and refused
   * from 95 % of it on (store/health.h): default 64 MiB. */
  uint64_t memory_parts_bytes_max;
  int64_t flush_age_ns; /* a store with unflushed rows older than this is flushed: default 10 min;
                           0: never by age */
  uint64_t part_bytes_max; /* parts at least this large are not merged again: default 512 MiB */
  /* Where stores have partitions, a part larger than this belongs to one: default 4 MiB. */
  uint64_t part_split_bytes;
  /* STORE_FORM_ALONE: a part up to this size is one file beside its manifest.json (compact); a
   * larger one has a file per section (wide). Default 0: all are wide. */
  uint64_t part_compact_bytes;
  /* Free bytes of the disk that writers leave alone, for flushes to finish with; default
   * STORE_DISK_RESERVE_DEFAULT: a twentieth of the disk, at most 1 GiB. */
  uint64_t disk_reserve_bytes;
  uint64_t disk_bytes_max;       /* the directory's own bytes; 0 (the default): what the disk has */
  uint64_t merge_debt_bytes_max; /* parts that wait to be merged; 0: any; default 16 GiB */
  /* How long a commit waits for room while flushing is at work, before it is refused: default 30 s;
   * 0: not at all. */
  int64_t write_wait_ns;
  uint64_t rows_per_second_max;  /* of writes; 0 (the default): any */
  uint64_t bytes_per_second_max; /* of writes, as they are logged; 0 (the default): any */
  uint32_t scans_max;            /* open at once; 0: any; default 4,096 */
  /* Minutes of the day (UTC) in which the store begins merges on disk by itself: from the first on,
   * before the second, over midnight where that is smaller. Equal (the default, 0): always.
   * store_merge merges whenever it is called. */
  uint32_t merge_from_minute, merge_until_minute;
  bool flush_on_close; /* closing makes parts of unflushed rows, so that the next start is short */
  bool background;     /* false: flush and merge only when called (tests, offline tools) */
  bool read_only;      /* no log replay is written back, nothing is deleted */
};
#define STORE_DISK_RESERVE_DEFAULT UINT64_MAX
/* Fills every field but path, os, account with its default. */
void store_options_default(struct store_options *options);

#endif
