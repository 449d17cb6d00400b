/* Rows that move between directories as whole parts: hard-linked snapshots (what a backup is made
 * of), and parts exported from one shard and imported into another. Public, like store.h. */
#ifndef NILO_STORE_TRANSFER_H
#define NILO_STORE_TRANSFER_H

#include "store/store.h"

/* ---- a snapshot as a directory ---- */

/* A file of parts in the new directory. */
struct store_link_file {
  const char *path; /* below the target: "parts/000000000000002a.part" */
  uint64_t bytes;
  bool copied;  /* the file system has no links between the two */
  bool written; /* made of rows that were in memory; else it is a file of the source */
};

struct store_link_options {
  /* Which stores go along. NULL: all. */
  bool (*wanted)(void *context, uint64_t store);
  /* Called for each file of parts as it gets there; an error from it ends the work and is
   * returned. May be NULL. */
  int (*file)(void *context, const struct store_link_file *file, struct err *err);
  /* Whether a file of the source need not get there, because the caller has it elsewhere: the
   * target then lacks it, and opens only once it is put back. May be NULL. */
  bool (*has)(void *context, const char *source, const char *path);
  void *context;
  bool copy; /* never link: the target is to share no bytes on disk with the source */
  /* Stores with damage are taken as they are: a part that could not be opened is left out, one that
   * was found damaged goes along. Else they are an error (ERR_CORRUPTION). */
  bool allow_damaged;
};

struct store_link_figures {
  uint64_t commit; /* what the directory holds: rows of commits up to here */
  uint64_t stores, parts, rows_written;
  uint64_t files_linked, files_copied, files_written;
  uint64_t bytes_linked, bytes_copied, bytes_written;
  uint64_t parts_damaged; /* stores that lack a part, or have one that was found damaged */
};

/* Makes `target` (which must not exist, or be an empty directory; its parent must exist) a
 * directory that opens as a shard of the same form and id with exactly the rows of the snapshot:
 * files of parts under their own names and epochs, rows in memory as new parts, a manifest, an
 * empty log. Everything is synced when it returns. Writing may go on meanwhile; a flush of the
 * source waits. Nothing is left when it fails. `snapshot` is of this shard; options and figures may
 * be NULL. Errors: ERR_FILE_EXISTS, ERR_DISK_FULL, ERR_IO, ERR_CORRUPTION, ERR_MEMORY_LIMIT. */
int store_snapshot_link(struct store_shard *shard, struct store_snapshot *snapshot,
                        const char *target, const struct store_link_options *options,
                        struct store_link_figures *figures, struct err *err);

/* ---- single parts ---- */

/* Writes a part (of a snapshot that the caller holds) as a directory of its own, in the way of a
 * directory of one store: its files and manifest.json, as docs/format/part.md says. `target` must
 * not exist, and ends in a name of 16 hexadecimal digits (1 to 2^44 - 1), as every such
 * directory's does. The part is checked wholly first, and everything synced when this returns;
 * nothing is left when it fails. Errors: ERR_INVALID_ARGUMENT, ERR_FILE_EXISTS, ERR_CORRUPTION,
 * ERR_DISK_FULL, ERR_IO. */
int store_part_export(struct store_shard *shard, struct store_part *part, const char *target,
                      struct err *err);

struct store_import_options {
  /* Called first, with the source, checked and open: what its columns are called there
   * (store_part_column_name). May set the note. May be NULL; an error is returned. */
  int (*begin)(void *context, const struct store_part *source, struct str *note, struct err *err);
  /* What a column or series of the source is called here; 0: it is left out. NULL: as there. Two
   * may not become one. Reserved columns are not asked for. */
  uint32_t (*column)(void *context, uint32_t column);
  uint64_t (*series)(void *context, uint64_t series);
  void *context;
  struct str note; /* of the commit, for hooks->replay */
};

struct store_import_figures {
  uint64_t commit; /* the one that the rows became */
  uint64_t rows, blocks, bytes;
};

/* Adds the rows of an exported part (a directory as above) to a store as one commit. The source is
 * checked wholly before anything else; the rows that a reader of it alone would see go through the
 * part writer under their names here, with their keys: marks, deletes and superseded rows do not.
 * Unflushed rows of the store that are older are flushed with it. A failure, or power loss before
 * it returns, leaves the rows out altogether (a commit without rows may stay). Errors:
 * ERR_CORRUPTION or ERR_NO_FILE (source), ERR_INVALID_ARGUMENT (policies differ; two columns or
 * series become one), ERR_DISK_FULL, ERR_IO, ERR_MEMORY_LIMIT. options and figures may be NULL. */
int store_part_import(struct store_shard *shard, uint64_t store, const char *source,
                      const struct store_import_options *options,
                      struct store_import_figures *figures, struct err *err);

#endif
