/* Parts: immutable rows in (series, key) order, cut into blocks. Private to the store.
 *
 * One format for all of them (docs/format/part.md): what a large commit logs, what memory holds,
 * what a file holds. A part borrows nothing: it is backed by a retained run of memory, or by a
 * file, a range of one (a bundle), or a directory; these go when their last part has been removed
 * and released (part_file.h). */
#ifndef NILO_STORE_PART_H
#define NILO_STORE_PART_H

#include "codec/codec.h"
#include "store/part_file.h"
#include "store/store.h"

/* Retained bytes that memory parts and commits share. */
struct part_memory {
  _Atomic uint32_t references;
  struct mem_account *account;
  uint8_t *data;
  size_t size, capacity;
};
void part_memory_retain(struct part_memory *memory);
void part_memory_release(struct part_memory *memory);

/* ---- writing ---- */
struct part_writer;

/* A part that becomes a directory: a file per section (wide), or all of them in one part.bin
 * (compact), and manifest.json beside. */
struct part_directory {
  struct os *os;
  const char *path; /* of the directory, which the writer creates; borrowed. Nothing is written
                       into it before there is more than compact_bytes, or the end */
  uint64_t compact_bytes; /* a part of at most so many encoded bytes is compact; they are gathered
                             in memory. 0: always wide */
  /* The name of a column, appended to `out`; nothing (or NULL): named by its id. As
   * store_hooks.column_name. Called when a column has its first value. */
  int (*column_name)(void *context, uint64_t store, uint32_t column, struct buffer *out,
                     struct err *err);
  void *context;
};

/* What goes with a column's values as they are written: filters. */
struct part_observer {
  void *context;
  /* A block's values of a column that has any there, blocks ascending. Blocks without a value of
   * the column are not told. */
  int (*values)(void *context, uint64_t block, uint32_t column, const struct column *values,
                struct err *err);
  /* All blocks are written: part_writer_section may be called from here, and only here. */
  int (*finish)(void *context, struct part_writer *writer, struct err *err);
};

struct part_writer_options {
  uint64_t store;
  enum store_policy policy;
  int level; /* enum codec_level */
  uint8_t shard[16];
  uint64_t id;              /* epoch << 20 | ordinal for parts on disk; 0 in memory */
  uint64_t partition_width; /* in key units; 0: not split */
  int64_t partition_start;
  const struct part_directory *directory; /* not NULL: the target; the writer then has no file */
  const struct part_observer *observer;   /* may be NULL; as long as the writer lives */
  struct os *os;                          /* NULL: what encoding costs is not measured */
};
/* Where the bytes go: memory, or a file from an offset on (8-byte aligned). */
int part_writer_create(const struct part_writer_options *options, struct mem_account *account,
                       struct os_file *file, uint64_t file_offset, struct part_writer **writer,
                       struct err *err);
void part_writer_destroy(struct part_writer *writer);
/* Appends rows that continue the order; `rows->rows` any number. Cuts blocks: at most 8,192 rows
 * and 2 MiB plain; whole runs of small series together, a series longer than a block cut evenly.
 * Tombstones and note of `rows` are ignored. */
int part_writer_append(struct part_writer *writer, const struct store_rows *rows, struct err *err);
/* The same, for the last rows: nothing is kept back and nothing copied. A commit's rows go in by
 * one call of this. */
int part_writer_append_last(struct part_writer *writer, const struct store_rows *rows,
                            struct err *err);
/* Distinct series ids appended so far, ascending; borrowed. */
size_t part_writer_series(const struct part_writer *writer, const uint64_t **series);
struct part_ending {
  uint64_t commit_min, commit_max;
  const struct store_tombstone *tombstones; /* with their commits beside them */
  const uint64_t *tombstone_commits;
  uint32_t tombstone_count;
  const uint64_t *sources; /* ids of the parts it was merged from */
  uint32_t source_count;
  struct str series; /* the "series" section; may be empty */
  bool has_history;  /* history_since is written; else the part is as of commit_max and later */
  uint64_t history_since;
};
/* Adds a section of a column (a filter). `bytes` (of the writer's account) become the writer's,
 * also when this fails; `form` is PART_WHOLE (one checksum) or PART_UNITS (their owner keeps
 * checksums inside). From part_observer.finish only. `form` is an enum part_section_form, `kind` an
 * enum part_section_kind that is made for it. */
int part_writer_section(struct part_writer *writer, unsigned kind, unsigned form, uint32_t column,
                        struct buffer *bytes, struct err *err);
/* What the blocks took so far. */
struct store_encoding part_writer_encoding(const struct part_writer *writer);
/* Files of the directory that was written, manifest.json among them. */
uint32_t part_writer_files(const struct part_writer *writer);
/* Writes the rest. *size: bytes of the whole image; for a directory, of all its files. For a memory
 * target *memory receives the bytes (one reference for the caller); for a file it must be NULL and
 * the caller syncs; for a directory too, and every file and the directory itself are synced when it
 * returns: the caller syncs the directory above. A directory whose writer fails or is destroyed
 * before is left to the caller (part_directory_remove). */
int part_writer_finish(struct part_writer *writer, const struct part_ending *ending, uint64_t *size,
                       struct part_memory **memory, struct err *err);

/* ---- opening ---- */
/* A part over bytes [offset, offset + size) of retained memory. Reads and checks the footer and
 * meta; block metadata is read on first use. The commit numbers of a logged image are not known
 * when it is packed: commit_min/commit_max, if not 0, override those of the image. */
int part_open_memory(struct part_memory *memory, size_t offset, size_t size,
                     struct mem_account *account, uint64_t commit, struct store_part **part,
                     struct err *err);
int part_open_file(struct part_file *file, uint64_t offset, uint64_t size,
                   struct mem_account *account, struct store_part **part, struct err *err);
/* The part of a directory (part_directory_open). */
int part_open_directory(struct part_file *file, struct mem_account *account,
                        struct store_part **part, struct err *err);
void part_retain(struct store_part *part);
void part_release(struct store_part *part);

/* ---- reading ---- */
/* What block metadata says; loaded by chunks, checked, cached in the part. */
struct part_block {
  uint64_t series_first, series_last;
  int64_t key_min, key_max; /* over all its rows */
  uint32_t rows, runs;
};
uint32_t part_block_count(const struct store_part *part);
/* Makes block metadata resident; cheap when it is. */
int part_load_blocks(struct store_part *part, struct err *err);
const struct part_block *part_blocks(const struct store_part *part); /* after part_load_blocks */
/* The runs of a block, into arena (one run: made up from the metadata without reading). Each run's
 * first and last key stand in run_keys (pairs), if wanted. */
int part_read_runs(struct store_part *part, uint32_t block, struct arena *arena,
                   const struct store_run **runs, const int64_t **run_keys, struct err *err);
/* Keys of a block, all its rows. What was read is added to *bytes_read (which may be NULL), here
 * and below. */
int part_read_keys(struct store_part *part, uint32_t block, struct arena *arena,
                   const int64_t **keys, uint64_t *bytes_read, struct err *err);
/* A column of a block, all its rows; all-null of type INT64 with length rows when the part lacks
 * it. */
int part_read_column(struct store_part *part, uint32_t block, uint32_t column_id,
                     struct arena *arena, struct column *column, uint64_t *bytes_read,
                     struct err *err);
/* Rows [from, from + count) of the same (count above 0): only the vectors of 1,024 rows that they
 * lie in are decoded. The unit is read and checked whole. */
int part_read_keys_rows(struct store_part *part, uint32_t block, uint32_t from, uint32_t count,
                        struct arena *arena, const int64_t **keys, uint64_t *bytes_read,
                        struct err *err);
int part_read_column_rows(struct store_part *part, uint32_t block, uint32_t column_id,
                          uint32_t from, uint32_t count, struct arena *arena, struct column *column,
                          uint64_t *bytes_read, struct err *err);
struct part_ahead;
/* Keys as they are stored: searched without being checked for their order. Here and below: what is
 * read ahead with them (store/part_ahead.h), or NULL. */
int part_read_keys_image(struct store_part *part, uint32_t block, struct part_ahead *ahead,
                         struct arena *arena, struct codec_image *image, uint64_t *bytes_read,
                         struct err *err);
/* A column as it is stored, for kernels: opened, its bytes in memory of `arena` or of the part;
 * rows 0 when the part lacks it or it has no value there. Not for payloads. */
int part_read_image(struct store_part *part, uint32_t block, uint32_t column_id,
                    struct part_ahead *ahead, struct arena *arena, struct codec_image *image,
                    struct column_statistics *statistics, uint64_t *bytes_read, struct err *err);
/* Statistics of a column in a block; count 0 when the part lacks it. Needs part_load_blocks. */
int part_statistics(struct store_part *part, uint32_t block, uint32_t column_id,
                    struct column_statistics *statistics, struct err *err);
/* Columns of the part: ids and types, ascending by id. */
uint32_t part_columns(const struct store_part *part, const uint32_t **ids,
                      const struct type **types);
/* The type of one of them; false: the part lacks it. */
bool part_column_type(const struct store_part *part, uint32_t id, struct type *type);
/* Tombstones that the part carries; borrowed. */
uint32_t part_tombstones(const struct store_part *part, const struct store_tombstone **tombstones,
                         const uint64_t **commits);
/* Ids of the parts it was merged from; borrowed. */
uint32_t part_sources(const struct store_part *part, const uint64_t **sources);
uint64_t part_store(const struct store_part *part);
/* The oldest commit as of which a store with this part can be read; 0: any. */
uint64_t part_history_since(const struct store_part *part);
/* Whether the part says so itself: it was written while history was kept. */
bool part_has_history(const struct store_part *part);
enum store_policy part_policy(const struct store_part *part);
/* What manifest.json says of a part: its text follows from the part alone, to the byte. */
int part_manifest_text(const struct store_part *part, struct buffer *out, struct err *err);
/* Whether anything of the part was found damaged since it was opened (or marked so). */
bool part_is_damaged(const struct store_part *part);
void part_mark_damaged(struct store_part *part);
/* For messages and inspect. */
void part_describe(const struct store_part *part, char *out, size_t size);
/* Checks every checksum and invariant of the part; the first violation is the error. */
int part_verify(struct store_part *part, struct err *err);
/* The same, which goes on: calls `found` with each violation (corruption, or bytes that cannot be
 * read; its position is the offset in the file) and `progress` (may be NULL) behind each block with
 * its size; an error from that, like memory refused, ends the search and is returned. */
struct part_verifier {
  void *context;
  void (*found)(void *context, const struct err *finding);
  int (*progress)(void *context, uint64_t bytes, struct err *err);
};
int part_verify_each(struct store_part *part, const struct part_verifier *verifier,
                     struct err *err);

#endif
