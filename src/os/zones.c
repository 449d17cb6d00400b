/* Zones by name: a table that only grows, by at most as many entries as the folder has files. */
#include "os/zones.h"

#include <stdio.h>

#include "base/err.h"
#include "base/hash_table.h"
#include "base/memory.h"
#include "os/os.h"

struct os_zones {
  struct os *os;
  struct mem_account *account;
  const char *folder;
  struct os_mutex mutex;
  struct str_table table; /* name -> struct time_zone */
};

int os_zones_create(struct os *os, struct mem_account *account, const char *folder,
                    struct os_zones **out, struct err *err) {
  struct os_zones *zones = mem_alloc_zero(account, sizeof *zones);
  if (!zones) return mem_refused(account, sizeof *zones, err);
  zones->os = os;
  zones->account = account;
  zones->folder = folder ? folder : "/usr/share/zoneinfo";
  os_mutex_init(&zones->mutex, os);
  str_table_init(&zones->table, account, true, 0);
  *out = zones;
  return ERR_OK;
}

void os_zones_destroy(struct os_zones *zones) {
  if (!zones) return;
  size_t cursor = 0;
  const struct str_table_slot *slot;
  while ((slot = str_table_next(&zones->table, &cursor)))
    time_zone_destroy((struct time_zone *)(uintptr_t)slot->value);
  str_table_deinit(&zones->table);
  os_mutex_deinit(&zones->mutex);
  mem_free(zones->account, zones, sizeof *zones);
}

static int unknown(struct str name, struct err *err) {
  err_set(err, ERR_INVALID_ARGUMENT, "unknown time zone %.*s", (int)name.size, name.data);
  err_hint(err,
           "names are those of the tz database, like Europe/Berlin; the package tzdata has it");
  return ERR_INVALID_ARGUMENT;
}

static int visit_nothing(void *context, const char *name, bool is_dir) {
  (void)context;
  (void)name;
  (void)is_dir;
  return ERR_OK;
}

/* "Europe" is a folder of zones. */
static bool is_folder(struct os_zones *zones, const char *path) {
  return os_dir_list(zones->os, path, visit_nothing, NULL, NULL) == ERR_OK;
}

/* Reads a file of at most TIME_ZONE_FILE_MAX bytes; *bytes is freed by the caller. */
static int read_file(struct os_zones *zones, const char *path, char **bytes, size_t *size,
                     struct err *err) {
  struct os_file *file;
  uint64_t length = 0;
  int code = os_file_open(zones->os, path, OS_READ, &file, err);
  if (code) return code;
  code = os_file_size(file, &length, err);
  if (!code && (length == 0 || length > TIME_ZONE_FILE_MAX))
    code = err_set(err, ERR_CORRUPTION, "%s is no time zone file: it has %llu bytes", path,
                   (unsigned long long)length);
  if (!code) {
    *size = (size_t)length;
    *bytes = mem_alloc(zones->account, *size);
    code = *bytes ? os_file_read_exact(file, 0, *bytes, *size, err)
                  : mem_refused(zones->account, *size, err);
  }
  os_file_close(file);
  return code;
}

/* "UTC" is there without any file: one type, no transition. */
static const char utc_file[] = "TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" /* version 1 */
                               "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
                               "\0\0\0\0\0\0UTC";

static int load(struct os_zones *zones, struct str name, struct time_zone **zone, struct err *err) {
  if (str_equal(name, STR("UTC")))
    return time_zone_parse(zones->account, name, (struct str){utc_file, sizeof utc_file}, zone,
                           err);
  char path[512];
  int length = snprintf(path, sizeof path, "%s/%.*s", zones->folder, (int)name.size, name.data);
  if (length < 0 || (size_t)length >= sizeof path) return unknown(name, err);
  if (!os_path_exists(zones->os, path) || is_folder(zones, path)) return unknown(name, err);
  char *bytes = NULL;
  size_t size = 0;
  int code = read_file(zones, path, &bytes, &size, err);
  if (!code) code = time_zone_parse(zones->account, name, (struct str){bytes, size}, zone, err);
  mem_free(zones->account, bytes, size);
  return code;
}

int os_zones_find(struct os_zones *zones, struct str name, const struct time_zone **out,
                  struct err *err) {
  if (!time_zone_name_valid(name)) return unknown(name, err);
  os_mutex_lock(&zones->mutex);
  const uint64_t *found = str_table_find(&zones->table, name);
  struct time_zone *zone = found ? (struct time_zone *)(uintptr_t)*found : NULL;
  int code = ERR_OK;
  if (!zone) {
    code = load(zones, name, &zone, err);
    uint64_t *place = code ? NULL : str_table_insert(&zones->table, name, NULL);
    if (place) {
      *place = (uint64_t)(uintptr_t)zone;
    } else if (!code) {
      time_zone_destroy(zone);
      code = mem_refused(zones->account, name.size, err);
    }
  }
  os_mutex_unlock(&zones->mutex);
  if (!code) *out = zone;
  return code;
}
