/* Files and names, in both twins: the same calls, the same answers. */
#include "twins.h"

static struct os_file *open_file(struct twin *twin, const char *name, unsigned flags) {
  struct os_file *file = NULL;
  struct err err = {.offset = -1};
  if (os_file_open(twin->os, twin_path(twin, name).text, flags, &file, &err))
    fail_msg("open %s: %s (%s)", name, err.message, err.detail);
  return file;
}

static void put_file(struct twin *twin, const char *name, const char *text) {
  struct os_file *file = open_file(twin, name, OS_WRITE | OS_CREATE | OS_TRUNCATE);
  assert_ok(os_file_write(file, 0, text, strlen(text), NULL));
  os_file_close(file);
}

static void assert_content(struct twin *twin, const char *name, const char *text) {
  struct os_file *file = open_file(twin, name, OS_READ);
  char buffer[256];
  size_t got;
  assert_ok(os_file_read(file, 0, buffer, sizeof buffer - 1, &got, NULL));
  buffer[got] = 0;
  assert_string_equal(buffer, text);
  os_file_close(file);
}

static uint64_t size_of(struct os_file *file) {
  uint64_t size = 99;
  assert_ok(os_file_size(file, &size, NULL));
  return size;
}

static int open_code(struct twin *twin, const char *name, unsigned flags, struct err *err) {
  struct os_file *file = (void *)1;
  int code = os_file_open(twin->os, twin_path(twin, name).text, flags, &file, err);
  if (!code) {
    os_file_close(file);
    return code;
  }
  assert_null(file);
  return code;
}

/* What open answers, by what is there and by the flags. */
static void open_by_flags(void **state) {
  struct twin *twin = *state;
  put_file(twin, "there", "some text");
  assert_ok(os_dir_create(twin->os, twin_path(twin, "folder").text, NULL));
  static const struct {
    const char *name, *path;
    unsigned flags;
    int code;
  } rows[] = {
      {"read what is there", "there", OS_READ, ERR_OK},
      {"write what is there", "there", OS_WRITE, ERR_OK},
      {"create what is there", "there", OS_READ | OS_WRITE | OS_CREATE, ERR_OK},
      {"exclusive, there", "there", OS_WRITE | OS_CREATE | OS_EXCLUSIVE, ERR_FILE_EXISTS},
      {"exclusive, a folder", "folder", OS_WRITE | OS_CREATE | OS_EXCLUSIVE, ERR_FILE_EXISTS},
      {"read, missing", "missing", OS_READ, ERR_NO_FILE},
      {"write, missing", "missing", OS_READ | OS_WRITE, ERR_NO_FILE},
      {"no folder", "missing/file", OS_WRITE | OS_CREATE, ERR_NO_FILE},
      {"a file as folder", "there/file", OS_WRITE | OS_CREATE, ERR_IO},
      {"a folder as file, read", "folder", OS_READ, ERR_IO},
      {"a folder as file, write", "folder", OS_READ | OS_WRITE, ERR_IO},
      {"exclusive, missing", "new1", OS_WRITE | OS_CREATE | OS_EXCLUSIVE, ERR_OK},
      {"direct, exclusive", "new2", OS_WRITE | OS_CREATE | OS_EXCLUSIVE | OS_DIRECT, ERR_OK},
      {"direct, synced", "new3", OS_READ | OS_WRITE | OS_CREATE | OS_DIRECT | OS_DSYNC, ERR_OK},
      {"a doubled slash", "folder//x", OS_WRITE | OS_CREATE, ERR_OK},
      {"a dot", "folder/./x", OS_READ, ERR_OK},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct err err = {.offset = -1};
    int code = open_code(twin, rows[i].path, rows[i].flags, &err);
    if (code != rows[i].code)
      fail_msg("%s: %d, not %d (%s)", rows[i].name, code, rows[i].code, err.detail);
    if (code) assert_non_null(strstr(err.detail, rows[i].path));
  }
  assert_content(twin, "there", "some text");
}

static void errors_name_the_path_and_the_cause(void **state) {
  struct twin *twin = *state;
  struct err err = {.offset = -1};
  assert_int_equal(open_code(twin, "missing", OS_READ, &err), ERR_NO_FILE);
  assert_int_equal(err.code, ERR_NO_FILE);
  struct twin_path path = twin_path(twin, "missing: No such file or directory");
  assert_string_equal(err.detail, path.text);
}

static void read_and_write_at_offsets(void **state) {
  struct twin *twin = *state;
  struct os_file *file = open_file(twin, "f", OS_READ | OS_WRITE | OS_CREATE);
  assert_string_equal(os_file_path(file), twin_path(twin, "f").text);
  assert_int_equal(size_of(file), 0);
  char buffer[16] = "xxxxxxxxxxxxxxx";
  size_t got = 99;
  assert_ok(os_file_read(file, 0, buffer, 5, &got, NULL));
  assert_int_equal(got, 0);
  assert_ok(os_file_write(file, 3, "abc", 3, NULL));
  assert_int_equal(size_of(file), 6);
  assert_ok(os_file_read(file, 0, buffer, sizeof buffer, &got, NULL));
  assert_int_equal(got, 6);
  assert_memory_equal(buffer, "\0\0\0abc", 6);
  assert_ok(os_file_write(file, 0, "XYZW", 4, NULL));
  assert_ok(os_file_read(file, 1, buffer, 4, &got, NULL));
  assert_int_equal(got, 4);
  assert_memory_equal(buffer, "YZWb", 4);
  assert_ok(os_file_read(file, 6, buffer, 4, &got, NULL));
  assert_int_equal(got, 0);
  assert_ok(os_file_read(file, 1000000, buffer, 4, &got, NULL));
  assert_int_equal(got, 0);
  assert_ok(os_file_write(file, 2, "", 0, NULL));
  assert_ok(os_file_write(file, 100, "", 0, NULL));
  assert_int_equal(size_of(file), 6);
  assert_ok(os_file_sync(file, NULL));
  os_file_close(file);
}

static void read_exact_fails_at_the_end(void **state) {
  struct twin *twin = *state;
  put_file(twin, "f", "0123456789");
  struct os_file *file = open_file(twin, "f", OS_READ);
  char buffer[16];
  assert_ok(os_file_read_exact(file, 4, buffer, 6, NULL));
  assert_memory_equal(buffer, "456789", 6);
  struct err err = {.offset = -1};
  assert_int_equal(os_file_read_exact(file, 4, buffer, 7, &err), ERR_END_OF_INPUT);
  assert_int_equal(err.code, ERR_END_OF_INPUT);
  assert_int_equal(err.offset, 10);
  assert_string_equal(err.detail, twin_path(twin, "f").text);
  assert_int_equal(os_file_read_exact(file, UINT64_MAX, buffer, 7, &err), ERR_IO);
  os_file_close(file);
}

static void truncate_cuts_and_grows_with_zeros(void **state) {
  struct twin *twin = *state;
  struct os_file *file = open_file(twin, "f", OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE);
  char block[10000], back[20000];
  memset(block, 'a', sizeof block);
  assert_ok(os_file_write(file, 0, block, sizeof block, NULL));
  assert_ok(os_file_truncate(file, 700, NULL));
  assert_int_equal(size_of(file), 700);
  assert_ok(os_file_truncate(file, 15000, NULL));
  size_t got;
  assert_ok(os_file_read(file, 0, back, sizeof back, &got, NULL));
  assert_int_equal(got, 15000);
  for (size_t i = 0; i < got; i++)
    assert_int_equal(back[i], i < 700 ? 'a' : 0);
  assert_int_equal(os_file_truncate(file, UINT64_MAX, NULL), ERR_IO);
  assert_ok(os_file_truncate(file, 0, NULL));
  assert_int_equal(size_of(file), 0);
  os_file_close(file);
  put_file(twin, "f", "long text");
  put_file(twin, "f", "short");
  assert_content(twin, "f", "short");
}

static void large_files_come_back(void **state) {
  struct twin *twin = *state;
  enum { SIZE = 3 * 1024 * 1024 + 77 };
  struct os_file *file = open_file(twin, "f", OS_READ | OS_WRITE | OS_CREATE);
  uint8_t *bytes = malloc(SIZE), *back = malloc(SIZE);
  for (size_t i = 0; i < SIZE; i++)
    bytes[i] = (uint8_t)(i * 2654435761u >> 13);
  assert_ok(os_file_write(file, 12345, bytes, SIZE, NULL));
  assert_ok(os_file_read_exact(file, 12345, back, SIZE, NULL));
  assert_memory_equal(bytes, back, SIZE);
  uint64_t used;
  assert_ok(os_file_sync(file, NULL));
  assert_ok(os_file_disk_size(file, &used, NULL));
  assert_true(used >= SIZE && used <= SIZE + 1024 * 1024);
  os_file_close(file);
  free(bytes);
  free(back);
}

/* Direct and synced handles move whole pages; the end inside a page reads short. */
static void direct_access(void **state) {
  struct twin *twin = *state;
  uint8_t *page = aligned_alloc(OS_DIRECT_ALIGNMENT, 4 * OS_DIRECT_ALIGNMENT);
  memset(page, 7, 4 * OS_DIRECT_ALIGNMENT);
  struct os_file *file =
      open_file(twin, "f", OS_READ | OS_WRITE | OS_CREATE | OS_DIRECT | OS_DSYNC);
  assert_ok(os_file_write(file, OS_DIRECT_ALIGNMENT, page, 2 * OS_DIRECT_ALIGNMENT, NULL));
  size_t got;
  assert_ok(os_file_read(file, 0, page, 4 * OS_DIRECT_ALIGNMENT, &got, NULL));
  assert_int_equal(got, 3 * OS_DIRECT_ALIGNMENT);
  assert_int_equal(page[OS_DIRECT_ALIGNMENT - 1], 0);
  assert_int_equal(page[OS_DIRECT_ALIGNMENT], 7);
  assert_ok(os_file_truncate(file, 2 * OS_DIRECT_ALIGNMENT + 100, NULL));
  assert_ok(os_file_read(file, 0, page, 4 * OS_DIRECT_ALIGNMENT, &got, NULL));
  assert_int_equal(got, 2 * OS_DIRECT_ALIGNMENT + 100);
  os_file_close(file);
  free(page);
}

static void locks_exclude_other_handles(void **state) {
  struct twin *twin = *state;
  struct os_file *one = open_file(twin, "lock", OS_READ | OS_WRITE | OS_CREATE);
  struct os_file *two = open_file(twin, "lock", OS_READ | OS_WRITE | OS_CREATE);
  assert_ok(os_file_lock(one, NULL));
  assert_ok(os_file_lock(one, NULL));
  struct err err = {.offset = -1};
  assert_int_equal(os_file_lock(two, &err), ERR_LOCKED);
  assert_non_null(strstr(err.detail, "lock"));
  assert_non_null(strstr(err.hint, "another"));
  os_file_close(one);
  assert_ok(os_file_lock(two, NULL));
  os_file_close(two);
}

static void renames_replace(void **state) {
  struct twin *twin = *state;
  struct os *os = twin->os;
  put_file(twin, "a", "A");
  put_file(twin, "b", "B");
  struct os_file *old = open_file(twin, "b", OS_READ);
  assert_ok(os_file_rename(os, twin_path(twin, "a").text, twin_path(twin, "b").text, NULL));
  assert_false(os_path_exists(os, twin_path(twin, "a").text));
  assert_content(twin, "b", "A");
  char byte;
  assert_ok(os_file_read_exact(old, 0, &byte, 1, NULL)); /* an open file outlives its name */
  assert_int_equal(byte, 'B');
  os_file_close(old);
  assert_ok(os_file_rename(os, twin_path(twin, "b").text, twin_path(twin, "b").text, NULL));
  assert_content(twin, "b", "A");
  assert_ok(os_dir_create(os, twin_path(twin, "d").text, NULL));
  assert_ok(os_file_rename(os, twin_path(twin, "b").text, twin_path(twin, "d/c").text, NULL));
  assert_content(twin, "d/c", "A");
  assert_ok(os_file_rename(os, twin_path(twin, "d").text, twin_path(twin, "e").text, NULL));
  assert_content(twin, "e/c", "A");
}

static void names_refused(void **state) {
  struct twin *twin = *state;
  put_file(twin, "file", "f");
  assert_ok(os_dir_create(twin->os, twin_path(twin, "empty").text, NULL));
  assert_ok(os_dir_create(twin->os, twin_path(twin, "full").text, NULL));
  put_file(twin, "full/x", "x");
  enum call { REMOVE, RENAME, LINK, MKDIR, RMDIR, SYNC };
  static const struct {
    const char *name;
    enum call call;
    const char *from, *to;
    int code;
  } rows[] = {
      {"remove a missing file", REMOVE, "none", NULL, ERR_NO_FILE},
      {"remove a folder as file", REMOVE, "empty", NULL, ERR_IO},
      {"rename a missing file", RENAME, "none", "other", ERR_NO_FILE},
      {"rename into a missing folder", RENAME, "file", "none/f", ERR_NO_FILE},
      {"rename a file over a folder", RENAME, "file", "empty", ERR_IO},
      {"rename a folder over a file", RENAME, "empty", "file", ERR_IO},
      {"rename a folder over a full one", RENAME, "empty", "full", ERR_IO},
      {"rename a folder into itself", RENAME, "full", "full/inner", ERR_IO},
      {"link a missing file", LINK, "none", "other", ERR_NO_FILE},
      {"link over a file", LINK, "file", "full/x", ERR_FILE_EXISTS},
      {"create a folder where a file is", MKDIR, "file", NULL, ERR_FILE_EXISTS},
      {"create a folder in nothing", MKDIR, "none/d", NULL, ERR_NO_FILE},
      {"create a folder that is there", MKDIR, "full", NULL, ERR_OK},
      {"remove a full folder", RMDIR, "full", NULL, ERR_IO},
      {"remove a missing folder", RMDIR, "none", NULL, ERR_NO_FILE},
      {"remove a file as folder", RMDIR, "file", NULL, ERR_IO},
      {"sync a missing folder", SYNC, "none", NULL, ERR_NO_FILE},
      {"sync a file as folder", SYNC, "file", NULL, ERR_IO},
      {"sync a folder", SYNC, "full", NULL, ERR_OK},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct twin_path from = twin_path(twin, rows[i].from);
    struct twin_path to = twin_path(twin, rows[i].to ? rows[i].to : "");
    struct err err = {.offset = -1};
    int code = ERR_OK;
    switch (rows[i].call) {
    case REMOVE:
      code = os_file_remove(twin->os, from.text, &err);
      break;
    case RENAME:
      code = os_file_rename(twin->os, from.text, to.text, &err);
      break;
    case LINK:
      code = os_file_link(twin->os, from.text, to.text, &err);
      break;
    case MKDIR:
      code = os_dir_create(twin->os, from.text, &err);
      break;
    case RMDIR:
      code = os_dir_remove(twin->os, from.text, &err);
      break;
    case SYNC:
      code = os_dir_sync(twin->os, from.text, &err);
      break;
    }
    if (code != rows[i].code)
      fail_msg("%s: %d, not %d (%s)", rows[i].name, code, rows[i].code, err.detail);
    if (code) assert_int_equal(err.code, code);
  }
  assert_content(twin, "file", "f");
  assert_content(twin, "full/x", "x");
}

static void links_share_the_content(void **state) {
  struct twin *twin = *state;
  struct os *os = twin->os;
  put_file(twin, "a", "one");
  assert_ok(os_file_link(os, twin_path(twin, "a").text, twin_path(twin, "b").text, NULL));
  put_file(twin, "b", "two");
  assert_content(twin, "a", "two");
  assert_ok(os_file_remove(os, twin_path(twin, "a").text, NULL));
  assert_content(twin, "b", "two");
}

struct listing {
  char text[512];
  int stop_after;
};

static int list_entry(void *context, const char *name, bool is_dir) {
  struct listing *listing = context;
  size_t used = strlen(listing->text);
  snprintf(listing->text + used, sizeof listing->text - used, "%s%s ", name, is_dir ? "/" : "");
  return --listing->stop_after == 0 ? 42 : 0;
}

static void directories_list_in_bytewise_order(void **state) {
  struct twin *twin = *state;
  struct os *os = twin->os;
  assert_ok(os_dir_create(os, twin_path(twin, "d").text, NULL));
  struct twin_path folder = twin_path(twin, "d");
  struct listing listing = {.text = ""};
  assert_ok(os_dir_list(os, folder.text, list_entry, &listing, NULL));
  assert_string_equal(listing.text, "");
  put_file(twin, "d/b", "");
  put_file(twin, "d/a10", "");
  put_file(twin, "d/a2", "");
  put_file(twin, "d/\xc3\xa9", ""); /* bytes above 127 come last */
  put_file(twin, "d/B", "");
  assert_ok(os_dir_create(os, twin_path(twin, "d/aa").text, NULL));
  assert_ok(os_dir_list(os, folder.text, list_entry, &listing, NULL));
  assert_string_equal(listing.text, "B a10 a2 aa/ b \xc3\xa9 ");
  listing = (struct listing){.stop_after = 2};
  assert_int_equal(os_dir_list(os, folder.text, list_entry, &listing, NULL), 42);
  assert_string_equal(listing.text, "B a10 ");
  struct err err = {.offset = -1};
  assert_int_equal(os_dir_list(os, twin_path(twin, "none").text, list_entry, &listing, &err),
                   ERR_NO_FILE);
  assert_int_equal(os_dir_list(os, twin_path(twin, "d/b").text, list_entry, &listing, &err),
                   ERR_IO);
}

static void the_disk_has_room(void **state) {
  struct twin *twin = *state;
  uint64_t free_bytes, total;
  assert_ok(os_disk_space(twin->os, twin->root, &free_bytes, &total, NULL));
  assert_true(free_bytes > 0 && free_bytes <= total);
  assert_int_equal(os_disk_space(twin->os, twin_path(twin, "none").text, &free_bytes, &total, NULL),
                   ERR_NO_FILE);
}

static int setup_test(void **state) {
  struct twin *twin = *state;
  twin_empty(twin->os, twin->root);
  return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup_test)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(open_by_flags),
      TEST(errors_name_the_path_and_the_cause),
      TEST(read_and_write_at_offsets),
      TEST(read_exact_fails_at_the_end),
      TEST(truncate_cuts_and_grows_with_zeros),
      TEST(large_files_come_back),
      TEST(direct_access),
      TEST(locks_exclude_other_handles),
      TEST(renames_replace),
      TEST(names_refused),
      TEST(links_share_the_content),
      TEST(directories_list_in_bytewise_order),
      TEST(the_disk_has_room),
  };
  int failed = cmocka_run_group_tests_name("real", tests, twin_setup_real, twin_teardown);
  failed += cmocka_run_group_tests_name("simulated", tests, twin_setup_simulated, twin_teardown);
  return failed;
}
