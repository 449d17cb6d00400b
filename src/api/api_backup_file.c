/* backup.json and digests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/backup_file.h"
#include "base/buffer.h"
#include "base/checksum.h"
#include "base/err.h"
#include "os/os.h"
#include "wire/json.h"

enum { PIECE_BYTES = 1 << 20, BACKUP_BYTES_MAX = 1 << 30, BACKUP_VERSION = 1 };

/* ---- digests ---- */

static void digest_text(XXH128_hash_t hash, char out[BACKUP_DIGEST_TEXT + 1]) {
  snprintf(out, BACKUP_DIGEST_TEXT + 1, "%016llx%016llx", (unsigned long long)hash.high64,
           (unsigned long long)hash.low64);
}

static int digest_stream(struct os_file *from, struct os_file *to, uint8_t *piece,
                         XXH3_state_t *state, uint64_t *bytes, struct err *err) {
  for (*bytes = 0;;) {
    size_t got;
    int code = os_file_read(from, *bytes, piece, PIECE_BYTES, &got, err);
    if (code == ERR_OK && got && to) code = os_file_write(to, *bytes, piece, got, err);
    if (code || !got) return code;
    XXH3_128bits_update(state, piece, got);
    *bytes += got;
  }
}

int api__digest(struct os *os, struct mem_account *account, const char *path, const char *copy_to,
                char digest[BACKUP_DIGEST_TEXT + 1], uint64_t *bytes, struct err *err) {
  struct os_file *from = NULL, *to = NULL;
  /* xxHash wants its state at a multiple of 64. */
  size_t size = PIECE_BYTES + sizeof(XXH3_state_t) + 64;
  uint8_t *memory = mem_alloc(account, size);
  if (!memory) return mem_refused(account, size, err);
  XXH3_state_t *state = (XXH3_state_t *)(((uintptr_t)memory + PIECE_BYTES + 63) & ~(uintptr_t)63);
  XXH3_128bits_reset(state);
  int code = os_file_open(os, path, OS_READ, &from, err);
  if (!code && copy_to)
    code = os_file_open(os, copy_to, OS_READ | OS_WRITE | OS_CREATE | OS_EXCLUSIVE, &to, err);
  if (!code) code = digest_stream(from, to, memory, state, bytes, err);
  if (!code && to) code = os_file_sync(to, err);
  if (!code) digest_text(XXH3_128bits_digest(state), digest);
  os_file_close(from);
  os_file_close(to);
  mem_free(account, memory, size);
  return code;
}

/* ---- the files of a directory ---- */

struct listing {
  struct os *os;
  const char *directory;
  struct backup *backup;
  size_t capacity;
  char below[1024]; /* "" or "parts/" */
  struct err *err;
};

static int add_entry(struct listing *listing, const char *name) {
  struct backup *backup = listing->backup;
  if (backup->count == listing->capacity) {
    size_t capacity = listing->capacity ? 2 * listing->capacity : 64;
    struct backup_file *grown = ARENA_ARRAY(&backup->arena, struct backup_file, capacity);
    if (!grown) return mem_refused(backup->arena.account, capacity * sizeof *grown, listing->err);
    if (backup->count) memcpy(grown, backup->files, backup->count * sizeof *grown);
    backup->files = grown;
    listing->capacity = capacity;
  }
  struct str path = arena_format(&backup->arena, "%s%s", listing->below, name);
  if (!path.data) return mem_refused(backup->arena.account, 1024, listing->err);
  backup->files[backup->count++] = (struct backup_file){.path = path};
  return ERR_OK;
}

static int visit_entry(void *context, const char *name, bool is_dir) {
  struct listing *listing = context;
  if (!is_dir) {
    bool ours = !listing->below[0] && (!strcmp(name, "LOCK") || !strncmp(name, BACKUP_NAME, 11));
    return ours ? ERR_OK : add_entry(listing, name);
  }
  size_t size = strlen(listing->below);
  char path[4096];
  if (size + strlen(name) + 2 > sizeof listing->below)
    return err_set(listing->err, ERR_LIMIT_EXCEEDED, "a path is too long");
  snprintf(listing->below + size, sizeof listing->below - size, "%s/", name);
  snprintf(path, sizeof path, "%s/%s", listing->directory, listing->below);
  path[strlen(path) - 1] = 0;
  int code = os_dir_list(listing->os, path, visit_entry, listing, listing->err);
  listing->below[size] = 0;
  return code;
}

static int by_path(const void *a, const void *b) {
  return str_compare(((const struct backup_file *)a)->path, ((const struct backup_file *)b)->path);
}

int api__backup_scan(struct os *os, struct mem_account *account, const char *directory,
                     struct backup *backup,
                     int (*each)(void *context, uint64_t bytes, struct err *), void *context,
                     struct err *err) {
  struct err own;
  struct listing listing = {
      .os = os, .directory = directory, .backup = backup, .err = err ? err : &own};
  backup->files = NULL;
  backup->count = 0;
  int code = os_dir_list(os, directory, visit_entry, &listing, listing.err);
  if (!code && backup->count) qsort(backup->files, backup->count, sizeof *backup->files, by_path);
  for (size_t i = 0; i < backup->count && !code; i++) {
    struct backup_file *file = &backup->files[i];
    char path[4096];
    snprintf(path, sizeof path, "%s/%.*s", directory, STR_ARG(file->path));
    code = api__digest(os, account, path, NULL, file->digest, &file->bytes, listing.err);
    if (!code && each) code = each(context, file->bytes, listing.err);
  }
  return code;
}

const struct backup_file *api__backup_find(const struct backup *backup, struct str path) {
  size_t low = 0, high = backup->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = str_compare(backup->files[middle].path, path);
    if (order == 0) return &backup->files[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

void api__backup_deinit(struct backup *backup) { arena_deinit(&backup->arena); }

/* ---- writing ---- */

static void member(struct json_writer *json, const char *name, struct str value) {
  if (!value.size) return;
  json_key(json, str_from(name));
  json_string(json, value);
}

static void write_files(struct json_writer *json, const struct backup *backup) {
  json_key(json, STR("files"));
  json_begin_array(json);
  for (size_t i = 0; i < backup->count; i++) {
    const struct backup_file *file = &backup->files[i];
    json_begin_object(json);
    member(json, "path", file->path);
    json_key(json, STR("bytes"));
    json_u64(json, file->bytes);
    member(json, "digest", str_from(file->digest));
    if (file->elsewhere) {
      json_key(json, STR("elsewhere"));
      json_bool(json, true);
    }
    json_end_object(json);
  }
  json_end_array(json);
}

/* The checksum stands last and is of all bytes before its line. */
static void write_text(const struct backup *backup, struct buffer *out) {
  struct json_writer json;
  json_writer_init(&json, out, true);
  json_begin_object(&json);
  json_key(&json, STR("nilo_backup"));
  json_u64(&json, BACKUP_VERSION);
  member(&json, "version", backup->version);
  member(&json, "shard", backup->shard);
  member(&json, "created", backup->created);
  json_key(&json, STR("commit"));
  json_u64(&json, backup->commit);
  member(&json, "database", backup->database);
  member(&json, "from", backup->from);
  member(&json, "to", backup->to);
  member(&json, "previous", backup->previous);
  write_files(&json, backup);
  if (!out->failed) api__backup_seal(out);
}

int api__backup_write(struct os *os, struct mem_account *account, const char *directory,
                      const struct backup *backup, struct err *err) {
  char path[4096], temporary[4096];
  struct buffer text;
  struct os_file *file = NULL;
  buffer_init(&text, account);
  write_text(backup, &text);
  snprintf(path, sizeof path, "%s/" BACKUP_NAME, directory);
  snprintf(temporary, sizeof temporary, "%s/" BACKUP_NAME ".new", directory);
  int code = buffer_check(&text, err);
  if (!code)
    code = os_file_open(os, temporary, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, err);
  if (!code) code = os_file_write(file, 0, text.data, text.size, err);
  if (!code) code = os_file_sync(file, err);
  os_file_close(file);
  if (!code) code = os_file_rename(os, temporary, path, err);
  if (!code) code = os_dir_sync(os, directory, err);
  buffer_deinit(&text);
  return code;
}

/* ---- reading ---- */

static int bad(const char *path, const char *what, struct err *err) {
  err_set(err, ERR_CORRUPTION, "a backup's list of files is damaged: %s", what);
  err_detail(err, "%s", path);
  err_hint(err, "use another backup");
  return ERR_CORRUPTION;
}

static bool read_digest(struct str text, char out[BACKUP_DIGEST_TEXT + 1]) {
  if (text.size != BACKUP_DIGEST_TEXT) return false;
  memcpy(out, text.data, text.size);
  out[text.size] = 0;
  return strspn(out, "0123456789abcdef") == BACKUP_DIGEST_TEXT;
}

/* Relative, downwards, and not what a directory has for itself. */
static bool path_is_safe(struct str path) {
  if (!path.size || path.size > 900 || path.data[0] == '/' || memchr(path.data, 0, path.size))
    return false;
  for (size_t at = 0; at <= path.size;) {
    const char *slash = at < path.size ? memchr(path.data + at, '/', path.size - at) : NULL;
    size_t end = slash ? (size_t)(slash - path.data) : path.size, size = end - at;
    if (!size || (size == 1 && path.data[at] == '.') ||
        (size == 2 && path.data[at] == '.' && path.data[at + 1] == '.'))
      return false;
    at = end + 1;
  }
  return true;
}

static int read_file(struct json_reader *reader, struct backup_file *file, struct err *err) {
  struct json_token token;
  int code = ERR_OK;
  while (!code && !(code = json_reader_next(reader, &token, err)) && token.kind == JSON_KEY) {
    struct str name = token.text;
    code = json_reader_next(reader, &token, err);
    if (code) break;
    bool good = true;
    if (str_equal(name, STR("path")))
      good = token.kind == JSON_STRING && path_is_safe(file->path = token.text);
    else if (str_equal(name, STR("bytes")))
      good = token.kind == JSON_NUMBER && token.is_integer &&
             ((file->bytes = strtoull(token.text.data, NULL, 10)), true);
    else if (str_equal(name, STR("digest")))
      good = token.kind == JSON_STRING && read_digest(token.text, file->digest);
    else if (str_equal(name, STR("elsewhere")))
      file->elsewhere = token.kind == JSON_TRUE;
    else
      code = json_reader_skip(reader, &token, err);
    if (!good) return err_set(err, ERR_CORRUPTION, "an entry is none");
  }
  if (!code && (!file->path.size || !file->digest[0]))
    return err_set(err, ERR_CORRUPTION, "an entry lacks its path or digest");
  return code;
}

static int read_files(struct json_reader *reader, struct backup *backup, struct err *err) {
  struct json_token token;
  size_t capacity = 0;
  int code = json_reader_next(reader, &token, err);
  if (!code && token.kind != JSON_BEGIN_ARRAY) return err_set(err, ERR_CORRUPTION, "no files");
  while (!code && !(code = json_reader_next(reader, &token, err)) &&
         token.kind == JSON_BEGIN_OBJECT) {
    if (backup->count == capacity) {
      capacity = capacity ? 2 * capacity : 64;
      struct backup_file *grown = ARENA_ARRAY(&backup->arena, struct backup_file, capacity);
      if (!grown) return mem_refused(backup->arena.account, capacity * sizeof *grown, err);
      if (backup->count) memcpy(grown, backup->files, backup->count * sizeof *grown);
      backup->files = grown;
    }
    struct backup_file *file = &backup->files[backup->count];
    code = read_file(reader, file, err);
    if (!code && backup->count && str_compare(file[-1].path, file->path) >= 0)
      code = err_set(err, ERR_CORRUPTION, "paths are not in order");
    backup->count += !code;
  }
  return code;
}

static int read_members(struct json_reader *reader, struct backup *backup, uint64_t *version,
                        struct err *err) {
  struct {
    const char *name;
    struct str *value;
  } texts[] = {{"version", &backup->version},  {"shard", &backup->shard},
               {"created", &backup->created},  {"database", &backup->database},
               {"from", &backup->from},        {"to", &backup->to},
               {"previous", &backup->previous}};
  struct json_token token;
  int code = json_reader_next(reader, &token, err);
  if (!code && token.kind != JSON_BEGIN_OBJECT) return err_set(err, ERR_CORRUPTION, "no object");
  while (!code && !(code = json_reader_next(reader, &token, err)) && token.kind == JSON_KEY) {
    struct str name = token.text;
    if (str_equal(name, STR("files"))) {
      code = read_files(reader, backup, err);
      continue;
    }
    code = json_reader_next(reader, &token, err);
    if (code) break;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
      if (str_equal(name, str_from(texts[i].name)) && token.kind == JSON_STRING)
        *texts[i].value = token.text;
    if (token.kind == JSON_NUMBER && str_equal(name, STR("nilo_backup")))
      *version = strtoull(token.text.data, NULL, 10);
    if (token.kind == JSON_NUMBER && str_equal(name, STR("commit")))
      backup->commit = strtoull(token.text.data, NULL, 10);
    code = json_reader_skip(reader, &token, err);
  }
  return code;
}

/* The end is the checksum of all before it, to the byte. */
static bool checksum_holds(struct str text) {
  char end[128], digest[BACKUP_DIGEST_TEXT + 1];
  digest_text((XXH128_hash_t){0}, digest);
  size_t size = (size_t)snprintf(end, sizeof end, ",\n    \"checksum\": \"%s\"\n}\n", digest);
  if (text.size < size) return false;
  digest_text(XXH3_128bits(text.data, text.size - size), digest);
  snprintf(end, sizeof end, ",\n    \"checksum\": \"%s\"\n}\n", digest);
  return !memcmp(text.data + text.size - size, end, size);
}

int api__backup_parse(struct backup *backup, struct str text, struct err *err) {
  struct json_reader reader;
  struct err cause;
  uint64_t version = 0;
  err_reset(&cause);
  if (!checksum_holds(text)) return bad("", "its checksum does not hold", err);
  json_reader_init(&reader, text, &backup->arena, 0);
  int code = read_members(&reader, backup, &version, &cause);
  if (code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT) {
    if (err) *err = cause;
    return code;
  }
  if (code) return bad("", cause.message, err);
  if (version == BACKUP_VERSION) return ERR_OK;
  return err_set(err, ERR_BAD_VERSION, "a backup of version %llu: this program reads version %d",
                 (unsigned long long)version, BACKUP_VERSION);
}

void api__backup_seal(struct buffer *text) {
  char digest[BACKUP_DIGEST_TEXT + 1];
  digest_text(XXH3_128bits(text->data, text->size), digest);
  buffer_printf(text, ",\n    \"checksum\": \"%s\"\n}\n", digest);
}

int api__backup_read(struct os *os, struct mem_account *account, const char *directory,
                     struct backup *backup, struct err *err) {
  char path[4096];
  struct os_file *file = NULL;
  uint64_t size = 0;
  *backup = (struct backup){.count = 0};
  arena_init(&backup->arena, account, 64 << 10);
  snprintf(path, sizeof path, "%s/" BACKUP_NAME, directory);
  int code = os_file_open(os, path, OS_READ, &file, err);
  if (code == ERR_NO_FILE) {
    err_set(err, ERR_NO_FILE, "%s is no backup, or one that was not finished", directory);
    err_detail(err, "it has no " BACKUP_NAME);
    err_hint(err, "use another backup");
  }
  if (!code) code = os_file_size(file, &size, err);
  if (!code && size > BACKUP_BYTES_MAX) code = bad(path, "its size", err);
  uint8_t *bytes = code ? NULL : arena_alloc(&backup->arena, (size_t)size + 1);
  if (!code && !bytes) code = mem_refused(account, (size_t)size, err);
  if (!code) code = os_file_read_exact(file, 0, bytes, (size_t)size, err);
  os_file_close(file);
  if (code) return code;
  bytes[size] = 0;
  code = api__backup_parse(backup, str_of(bytes, (size_t)size), err);
  if (code) err_detail(err, "%s", path);
  return code;
}

/* ---- giving up ---- */

struct removal {
  struct os *os;
  const char *path;
};

static int remove_entry(void *context, const char *name, bool is_dir) {
  const struct removal *removal = context;
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", removal->path, name);
  if (is_dir)
    api__remove_tree(removal->os, path);
  else
    (void)os_file_remove(removal->os, path, NULL);
  return 0;
}

void api__remove_tree(struct os *os, const char *path) {
  struct removal removal = {os, path};
  if (!os_path_exists(os, path)) return;
  (void)os_dir_list(os, path, remove_entry, &removal, NULL);
  (void)os_dir_remove(os, path, NULL);
}
