/* backup.json: what a backup consists of (docs/format/backup.md). Private to the api. */
#ifndef NILO_API_BACKUP_FILE_H
#define NILO_API_BACKUP_FILE_H

#include "base/memory.h"
#include "base/str.h"

struct buffer;
struct err;
struct os;

enum { BACKUP_DIGEST_TEXT = 32 }; /* hexadecimal digits */
#define BACKUP_NAME "backup.json"

struct backup_file {
  struct str path; /* below the backup */
  uint64_t bytes;
  char digest[BACKUP_DIGEST_TEXT + 1];
  bool elsewhere; /* in the backup before, or one before that */
};

struct backup {
  struct arena arena; /* everything below */
  struct str version, shard, created, database, from, to, previous;
  uint64_t commit;
  struct backup_file *files; /* in the order of paths */
  size_t count;
};
/* Frees what a list holds; to be called after api__backup_read, whatever that returned. */
void api__backup_deinit(struct backup *backup);
/* Reads and checks <directory>/backup.json. ERR_NO_FILE: no backup, or one that was not finished;
 * ERR_CORRUPTION, ERR_BAD_VERSION. Deinit it also after an error. */
int api__backup_read(struct os *os, struct mem_account *account, const char *directory,
                     struct backup *backup, struct err *err);
/* The same of its bytes, which must be followed by one more, a zero; `backup` has its arena. */
int api__backup_parse(struct backup *backup, struct str text, struct err *err);
/* Appends the last member, which is the checksum of what stands there, and the end. */
void api__backup_seal(struct buffer *text);
/* Writes it, synced, under its name at last. */
int api__backup_write(struct os *os, struct mem_account *account, const char *directory,
                      const struct backup *backup, struct err *err);
/* The entry of a path, or NULL. */
const struct backup_file *api__backup_find(const struct backup *backup, struct str path);
/* Lists the files of a directory, all the way down, but for LOCK and backup.json, and takes their
 * digests. `each` (may be NULL) is told the bytes of each; its error ends it. */
int api__backup_scan(struct os *os, struct mem_account *account, const char *directory,
                     struct backup *backup,
                     int (*each)(void *context, uint64_t bytes, struct err *), void *context,
                     struct err *err);
/* XXH3-128 of a file's bytes, as text; *bytes its size. copy_to not NULL: the bytes are written
 * there too (a new file, synced). */
int api__digest(struct os *os, struct mem_account *account, const char *path, const char *copy_to,
                char digest[BACKUP_DIGEST_TEXT + 1], uint64_t *bytes, struct err *err);
/* Removes a directory with all that is in it, as far as that can be. */
void api__remove_tree(struct os *os, const char *path);

#endif
