/* The two environments a test of os/ runs in: one suite, run once per twin. */
#ifndef NILO_TESTS_UNIT_OS_TWINS_H
#define NILO_TESTS_UNIT_OS_TWINS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "os/os.h"
#include "os/sim.h"

struct twin {
  struct os *os;
  bool simulated;
  char root[128]; /* an empty directory of this group of tests */
};

struct twin_path {
  char text[512];
};

/* root/name */
static inline struct twin_path twin_path(const struct twin *twin, const char *name) {
  struct twin_path path;
  snprintf(path.text, sizeof path.text, "%s/%s", twin->root, name);
  return path;
}

/* Fails the test with the error's text. */
#define assert_ok(call)                                                                            \
  do {                                                                                             \
    struct err assert_ok_err = {.offset = -1};                                                     \
    (void)assert_ok_err;                                                                           \
    int assert_ok_code = (call);                                                                   \
    if (assert_ok_code) fail_msg("%s: error %d", #call, assert_ok_code);                           \
  } while (0)

struct twin_removal {
  struct os *os;
  const char *folder;
};

static inline int twin_remove_entry(void *context, const char *name, bool is_dir);

/* Removes what a directory holds. */
static inline void twin_empty(struct os *os, const char *folder) {
  struct twin_removal removal = {os, folder};
  os_dir_list(os, folder, twin_remove_entry, &removal, NULL);
}

static inline int twin_remove_entry(void *context, const char *name, bool is_dir) {
  struct twin_removal *removal = context;
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", removal->folder, name);
  if (is_dir) {
    twin_empty(removal->os, path);
    os_dir_remove(removal->os, path, NULL);
  } else {
    os_file_remove(removal->os, path, NULL);
  }
  return 0;
}

static inline int twin_setup_real(void **state) {
  struct twin *twin = calloc(1, sizeof *twin);
  struct err err = {.offset = -1};
  if (os_real_create(&twin->os, &err)) return -1;
  snprintf(twin->root, sizeof twin->root, "/tmp/nilo-test-XXXXXX");
  if (!mkdtemp(twin->root)) return -1;
  *state = twin;
  return 0;
}

static inline int twin_setup_simulated(void **state) {
  struct twin *twin = calloc(1, sizeof *twin);
  struct err err = {.offset = -1};
  struct os_sim_options options = {.seed = 42};
  if (os_sim_create(&options, &twin->os, &err)) return -1;
  twin->simulated = true;
  snprintf(twin->root, sizeof twin->root, "/test");
  if (os_dir_create(twin->os, twin->root, &err)) return -1;
  *state = twin;
  return 0;
}

static inline int twin_teardown(void **state) {
  struct twin *twin = *state;
  twin_empty(twin->os, twin->root);
  os_dir_remove(twin->os, twin->root, NULL);
  os_destroy(twin->os);
  free(twin);
  return 0;
}

#endif
