/* What holds parts on disk: files of one or several images, and directories of one part each.
 * Private to the store.
 *
 * A part_file counts its users. It keeps nothing open by itself: open files are **handles**, a
 * bounded set that all parts of a shard share, so that ten thousand parts of thirty files each need
 * no more descriptors than a few. A handle is taken for one read and may stay open for the next. */
#ifndef NILO_STORE_PART_FILE_H
#define NILO_STORE_PART_FILE_H

#include "base/memory.h"

struct buffer;
struct err;
struct os;
struct os_file;

/* ---- open files ---- */
struct part_handles;
enum { PART_HANDLES_DEFAULT = 256 };
/* At most about `limit` files (rounded up to a multiple of 8; 0: the default) stay open when nobody
 * reads them. Any thread; create before and destroy after every part_file that uses it. */
int part_handles_create(struct os *os, struct mem_account *account, uint32_t limit,
                        struct part_handles **handles, struct err *err);
void part_handles_destroy(struct part_handles *handles);
struct os *part_handles_os(const struct part_handles *handles);
/* Decompressors for those who read the files. */
struct frames_pool;
struct frames_pool *part_handles_pool(struct part_handles *handles);
/* Files that are open now. */
uint32_t part_handles_open(struct part_handles *handles);

/* ---- files and directories ---- */
enum part_layout {
  PART_IMAGES = 0,  /* <16 hex digits>.part: one image, or a bundle of several */
  PART_COMPACT = 1, /* <16 hex digits>/part.bin */
  PART_WIDE = 2,    /* <16 hex digits>/meta.bin and a file per section */
};

/* A part's id has its epoch in the upper 44 bits: larger numbers are names of something else. */
#define PART_EPOCH_MAX ((UINT64_C(1) << 44) - 1)

/* Counts its users; removed from disk with the last one when `doomed` is set (a directory with all
 * that is in it). */
struct part_file {
  _Atomic uint32_t references;
  _Atomic bool doomed;
  enum part_layout layout;
  struct part_handles *handles; /* and the environment in it */
  uint64_t epoch;               /* its name */
  uint64_t bytes; /* PART_IMAGES and PART_COMPACT: of the file; PART_WIDE: of meta.bin */
  struct mem_account *account;
  char path[]; /* of the file or the directory */
};
/* Opens <directory>/<16 hex digits>.part. ERR_NO_FILE when it is missing. */
int part_file_open(struct part_handles *handles, struct mem_account *account, const char *directory,
                   uint64_t epoch, struct part_file **file, struct err *err);
/* Opens the directory <directory>/<16 hex digits>/. ERR_NO_FILE when it is missing or holds neither
 * meta.bin nor part.bin: what is left of a part that was not written to its end, or not removed to
 * its end (part_directory_remove takes it away). */
int part_directory_open(struct part_handles *handles, struct mem_account *account,
                        const char *directory, uint64_t epoch, struct part_file **file,
                        struct err *err);
void part_file_retain(struct part_file *file);
void part_file_release(struct part_file *file);
/* Reads exactly `size` bytes of a file of parts (name NULL) or of a file in the directory.
 * `slot` tells the files of one directory apart (any number, the same for the same name).
 * ERR_NO_FILE, ERR_END_OF_INPUT, ERR_IO. */
int part_file_read(struct part_file *file, uint32_t slot, const char *name, uint64_t offset,
                   void *bytes, size_t size, struct err *err);
/* The size of such a file. */
int part_file_size(struct part_file *file, uint32_t slot, const char *name, uint64_t *size,
                   struct err *err);

/* Removes a part's directory: meta.bin and part.bin first, so that what a crash leaves is never a
 * part, then everything else in it, then the directory. One that is not there is no error. Nothing
 * is synced: that is for whoever depends on it. */
int part_directory_remove(struct os *os, const char *path, struct err *err);

#endif
