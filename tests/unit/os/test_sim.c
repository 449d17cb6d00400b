/* The simulated twin: power loss, injected failures, determinism, fibers. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/pool.h"
#include "twins.h"

static struct os *create(struct os_sim_options options) {
  struct os *os;
  struct err err = {.offset = -1};
  assert_int_equal(os_sim_create(&options, &os, &err), ERR_OK);
  return os;
}

static struct os *create_seeded(uint64_t seed) {
  return create((struct os_sim_options){.seed = seed});
}

static struct os_file *open_file(struct os *os, const char *path, unsigned flags) {
  struct os_file *file = NULL;
  struct err err = {.offset = -1};
  if (os_file_open(os, path, flags, &file, &err))
    fail_msg("open %s: %s (%s)", path, err.message, err.detail);
  return file;
}

enum { RW = OS_READ | OS_WRITE | OS_CREATE };

/* Content of a whole file, terminated; "-" when it is missing. */
struct content {
  char text[64];
};

static struct content content_of(struct os *os, const char *path) {
  struct content content = {"-"};
  if (!os_path_exists(os, path)) return content;
  struct os_file *file = open_file(os, path, OS_READ);
  size_t got;
  assert_ok(os_file_read(file, 0, content.text, sizeof content.text - 1, &got, NULL));
  content.text[got] = 0;
  os_file_close(file);
  return content;
}

static void put_file(struct os *os, const char *path, const char *text) {
  struct os_file *file = open_file(os, path, RW | OS_TRUNCATE);
  assert_ok(os_file_write(file, 0, text, strlen(text), NULL));
  os_file_close(file);
}

static void put_synced(struct os *os, const char *path, const char *text) {
  struct os_file *file = open_file(os, path, RW | OS_TRUNCATE);
  assert_ok(os_file_write(file, 0, text, strlen(text), NULL));
  assert_ok(os_file_sync(file, NULL));
  os_file_close(file);
}

static void reboot(struct os *os, enum os_sim_loss loss) {
  os_sim_crash(os);
  os_sim_reboot(os, loss);
}

/* ---- what survives ---- */

static void synced_content_and_names_survive(void **state) {
  (void)state;
  for (int loss = OS_SIM_LOSS_DRAWN; loss <= OS_SIM_LOSS_NONE; loss++) {
    struct os *os = create_seeded((uint64_t)loss);
    assert_ok(os_dir_create(os, "/d", NULL));
    assert_ok(os_dir_sync(os, "/", NULL));
    put_synced(os, "/d/f", "synced");
    assert_ok(os_dir_sync(os, "/d", NULL));
    reboot(os, (enum os_sim_loss)loss);
    assert_string_equal(content_of(os, "/d/f").text, "synced");
    os_destroy(os);
  }
}

/* Each row: what is done on top of the synced file /f = "old" and the synced folder /d, and what
 * the worst power loss leaves. */
static void nothing_else_survives_the_worst_loss(void **state) {
  (void)state;
  struct os *os = create_seeded(7);
  assert_ok(os_dir_create(os, "/d", NULL));
  put_synced(os, "/f", "old");
  assert_ok(os_dir_sync(os, "/", NULL));

  struct os_file *file = open_file(os, "/f", RW);
  assert_ok(os_file_write(file, 0, "new and longer", 14, NULL));
  os_file_close(file);
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "old");

  put_file(os, "/f", "x"); /* a cut, then a write */
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "old");

  assert_ok(os_file_remove(os, "/f", NULL));
  assert_string_equal(content_of(os, "/f").text, "-");
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "old");

  put_synced(os, "/d/g", "content without a synced name");
  assert_string_equal(content_of(os, "/d/g").text, "content without a synced name");
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/d/g").text, "-");

  put_file(os, "/d/h", "a synced name without content");
  assert_ok(os_dir_sync(os, "/d", NULL));
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/d/h").text, "");

  assert_ok(os_file_rename(os, "/f", "/d/f", NULL));
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "old");
  assert_string_equal(content_of(os, "/d/f").text, "-");

  /* A rename into a folder whose own name is not durable: the sync takes it along. */
  assert_ok(os_dir_create(os, "/d/e", NULL));
  assert_ok(os_dir_create(os, "/d/e/e", NULL));
  assert_ok(os_file_rename(os, "/f", "/d/e/e/f", NULL));
  assert_ok(os_dir_sync(os, "/d/e/e", NULL));
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "-");
  assert_string_equal(content_of(os, "/d/e/e/f").text, "old");
  os_destroy(os);
}

static void a_killed_process_loses_nothing(void **state) {
  (void)state;
  struct os *os = create_seeded(7);
  put_synced(os, "/a", "first");
  assert_ok(os_file_rename(os, "/a", "/b", NULL));
  put_file(os, "/c", "second");
  reboot(os, OS_SIM_LOSS_NONE);
  assert_string_equal(content_of(os, "/a").text, "-");
  assert_string_equal(content_of(os, "/b").text, "first");
  assert_string_equal(content_of(os, "/c").text, "second");
  os_destroy(os);
}

static void a_write_through_dsync_survives(void **state) {
  (void)state;
  struct os *os = create_seeded(3);
  struct os_file *file = open_file(os, "/f", RW);
  assert_ok(os_dir_sync(os, "/", NULL));
  struct os_file *synced = open_file(os, "/f", RW | OS_DSYNC);
  assert_ok(os_file_write(file, 5000, "lost", 4, NULL));
  assert_ok(os_file_write(synced, 0, "kept", 4, NULL));
  os_file_close(file);
  os_file_close(synced);
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "kept");
  os_destroy(os);
}

/* A rename that is not synced shows the old name, or the new one; never neither. */
static void an_unsynced_rename_loses_nothing(void **state) {
  (void)state;
  int old = 0, new = 0;
  for (uint64_t seed = 0; seed < 200; seed++) {
    struct os *os = create_seeded(seed);
    assert_ok(os_dir_create(os, "/d", NULL));
    put_synced(os, "/a", "A");
    put_synced(os, "/b", "B");
    assert_ok(os_dir_sync(os, "/", NULL));
    assert_ok(os_file_rename(os, "/a", "/b", NULL));
    assert_ok(os_file_rename(os, "/b", "/d/c", NULL));
    reboot(os, OS_SIM_LOSS_DRAWN);
    int places = (strcmp(content_of(os, "/a").text, "A") == 0) +
                 (strcmp(content_of(os, "/b").text, "A") == 0) +
                 (strcmp(content_of(os, "/d/c").text, "A") == 0);
    if (places < 1) fail_msg("seed %llu: the file is gone", (unsigned long long)seed);
    old += strcmp(content_of(os, "/a").text, "A") == 0;
    new += strcmp(content_of(os, "/d/c").text, "A") == 0;
    os_destroy(os);
  }
  assert_true(old > 20 && new > 20);
}

/* Over many seeds an unsynced overwrite is kept, lost, mixed by sectors and torn inside one. */
static void sectors_are_kept_lost_and_torn(void **state) {
  (void)state;
  enum { SECTORS = 20, SIZE = SECTORS * 512 };
  int all_old = 0, all_new = 0, mixed = 0, torn = 0;
  for (uint64_t seed = 0; seed < 300; seed++) {
    struct os *os = create_seeded(seed);
    uint8_t bytes[SIZE];
    struct os_file *file = open_file(os, "/f", RW);
    memset(bytes, 'o', SIZE);
    assert_ok(os_file_write(file, 0, bytes, SIZE, NULL));
    assert_ok(os_file_sync(file, NULL));
    assert_ok(os_dir_sync(os, "/", NULL));
    memset(bytes, 'n', SIZE);
    assert_ok(os_file_write(file, 0, bytes, SIZE, NULL));
    os_file_close(file);
    reboot(os, OS_SIM_LOSS_DRAWN);
    struct os_sim_outcome outcome = os_sim_outcome(os);
    assert_int_equal(outcome.sectors_kept + outcome.sectors_lost + outcome.sectors_torn, SECTORS);
    file = open_file(os, "/f", RW);
    assert_ok(os_file_read_exact(file, 0, bytes, SIZE, NULL));
    int news = 0, torn_here = 0;
    for (int s = 0; s < SECTORS; s++) {
      int count = 0;
      for (int i = 0; i < 512; i++) {
        assert_true(bytes[s * 512 + i] == 'o' || bytes[s * 512 + i] == 'n');
        count += bytes[s * 512 + i] == 'n';
      }
      torn_here += count > 0 && count < 512;
      news += count > 0;
    }
    assert_int_equal(torn_here, outcome.sectors_torn);
    torn += torn_here > 0;
    all_old += news == 0;
    all_new += news == SECTORS && !torn_here;
    mixed += news > 0 && news < SECTORS;
    os_file_close(file);
    os_destroy(os);
  }
  assert_true(all_old > 10 && all_new > 10 && mixed > 50 && torn > 50);
}

/* A cut that was not synced happened wholly or not at all. */
static void an_unsynced_cut_is_whole(void **state) {
  (void)state;
  int cut = 0, whole = 0;
  for (uint64_t seed = 0; seed < 100; seed++) {
    struct os *os = create_seeded(seed);
    uint8_t bytes[20000], back[20000];
    memset(bytes, 'o', sizeof bytes);
    struct os_file *file = open_file(os, "/f", RW);
    assert_ok(os_file_write(file, 0, bytes, sizeof bytes, NULL));
    assert_ok(os_file_sync(file, NULL));
    assert_ok(os_dir_sync(os, "/", NULL));
    assert_ok(os_file_truncate(file, 700, NULL));
    os_file_close(file);
    reboot(os, OS_SIM_LOSS_DRAWN);
    file = open_file(os, "/f", RW);
    size_t got;
    assert_ok(os_file_read(file, 0, back, sizeof back, &got, NULL));
    assert_true(got == 700 || got == sizeof back);
    assert_memory_equal(back, bytes, got);
    cut += got == 700;
    whole += got != 700;
    os_file_close(file);
    os_destroy(os);
  }
  assert_true(cut > 10 && whole > 10);
}

/* A sync that failed: the bytes may be lost although a later sync succeeds. */
static void a_failed_sync_forsakes(void **state) {
  (void)state;
  struct os *os = create_seeded(1);
  put_synced(os, "/f", "old");
  assert_ok(os_dir_sync(os, "/", NULL));
  struct os_file *file = open_file(os, "/f", RW);
  assert_ok(os_file_write(file, 0, "new", 3, NULL));
  os_sim_fail_at(os, os_sim_operations(os) + 1, ERR_IO);
  assert_int_equal(os_file_sync(file, NULL), ERR_IO);
  assert_ok(os_file_sync(file, NULL));
  os_file_close(file);
  assert_string_equal(content_of(os, "/f").text, "new");
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "old");

  file = open_file(os, "/f", RW);
  assert_ok(os_file_write(file, 0, "new", 3, NULL));
  os_sim_fail_at(os, os_sim_operations(os) + 1, ERR_IO);
  assert_int_equal(os_file_sync(file, NULL), ERR_IO);
  assert_ok(os_file_write(file, 0, "new", 3, NULL)); /* written again, it is dirty again */
  assert_ok(os_file_sync(file, NULL));
  os_file_close(file);
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "new");
  os_destroy(os);
}

/* ---- the gate ---- */

static void after_the_loss_all_calls_fail(void **state) {
  (void)state;
  struct os *os = create_seeded(5);
  put_synced(os, "/f", "text");
  assert_ok(os_dir_sync(os, "/", NULL));
  struct os_file *file = open_file(os, "/f", RW);
  assert_false(os_sim_crashed(os));
  os_sim_crash(os);
  assert_true(os_sim_crashed(os));
  struct err err = {.offset = -1};
  char byte;
  size_t got;
  uint64_t number, other;
  assert_int_equal(os_file_read(file, 0, &byte, 1, &got, &err), ERR_IO);
  assert_string_equal(err.message, "simulated power loss");
  assert_int_equal(os_file_write(file, 0, "x", 1, NULL), ERR_IO);
  assert_int_equal(os_file_sync(file, NULL), ERR_IO);
  assert_int_equal(os_file_truncate(file, 0, NULL), ERR_IO);
  assert_int_equal(os_file_size(file, &number, NULL), ERR_IO);
  assert_int_equal(os_file_lock(file, NULL), ERR_IO);
  assert_int_equal(os_file_remove(os, "/f", NULL), ERR_IO);
  assert_int_equal(os_file_rename(os, "/f", "/g", NULL), ERR_IO);
  assert_int_equal(os_file_link(os, "/f", "/g", NULL), ERR_IO);
  assert_int_equal(os_dir_create(os, "/d", NULL), ERR_IO);
  assert_int_equal(os_dir_remove(os, "/d", NULL), ERR_IO);
  assert_int_equal(os_dir_sync(os, "/", NULL), ERR_IO);
  assert_int_equal(os_disk_space(os, "/", &number, &other, NULL), ERR_IO);
  assert_false(os_path_exists(os, "/f"));
  os_sim_reboot(os, OS_SIM_LOSS_DRAWN);
  assert_false(os_sim_crashed(os));
  assert_string_equal(content_of(os, "/f").text, "text");
  /* A handle of before stays dead; its lock does not bind. */
  assert_int_equal(os_file_read(file, 0, &byte, 1, &got, &err), ERR_IO);
  os_file_close(file);
  file = open_file(os, "/f", RW);
  assert_ok(os_file_lock(file, NULL));
  reboot(os, OS_SIM_LOSS_DRAWN);
  struct os_file *again = open_file(os, "/f", RW);
  assert_ok(os_file_lock(again, NULL));
  os_file_close(again);
  os_file_close(file);
  os_destroy(os);
}

/* The little protocol that every careful program uses: write beside, sync, rename over, sync the
 * folder. Returns the first error; *done counts the versions that were acknowledged. */
static int write_versions(struct os *os, int versions, int *done) {
  int code = os_dir_create(os, "/db", NULL);
  if (!code) code = os_dir_sync(os, "/", NULL);
  for (int i = 1; i <= versions && !code; i++) {
    char text[3000];
    memset(text, 'a' + i % 26, sizeof text);
    snprintf(text, sizeof text, "%d", i);
    struct os_file *file;
    code = os_file_open(os, "/db/tmp", RW | OS_TRUNCATE, &file, NULL);
    if (code) break;
    code = os_file_write(file, 0, text, sizeof text, NULL);
    if (!code) code = os_file_sync(file, NULL);
    os_file_close(file);
    if (!code) code = os_file_rename(os, "/db/tmp", "/db/current", NULL);
    if (!code) code = os_dir_sync(os, "/db", NULL);
    if (!code) *done = i;
  }
  return code;
}

/* The version that is there, and that it is whole; 0 for none. */
static int read_version(struct os *os) {
  if (!os_path_exists(os, "/db/current")) return 0;
  struct os_file *file = open_file(os, "/db/current", OS_READ);
  char text[3000];
  assert_ok(os_file_read_exact(file, 0, text, sizeof text, NULL));
  os_file_close(file);
  int version = (int)strtol(text, NULL, 10);
  for (size_t i = strlen(text) + 1; i < sizeof text; i++)
    assert_int_equal(text[i], 'a' + version % 26);
  return version;
}

static void acknowledged_versions_survive_a_thousand_seeds(void **state) {
  (void)state;
  int in_between = 0;
  for (uint64_t seed = 0; seed < 1000; seed++) {
    struct os *os = create_seeded(seed);
    int done = 0;
    os_sim_crash_at(os, 1 + seed % 60);
    int code = write_versions(os, 10, &done);
    assert_int_equal(code != 0, os_sim_crashed(os));
    if (!code) os_sim_crash(os);
    os_sim_reboot(os, OS_SIM_LOSS_DRAWN);
    int version = read_version(os);
    if (version < done || version > done + 1)
      fail_msg("seed %llu: %d acknowledged, %d found", (unsigned long long)seed, done, version);
    in_between += version == done + 1;
    /* And it goes on from there. */
    int more = 0;
    assert_ok(write_versions(os, 2, &more));
    assert_int_equal(read_version(os), 2);
    os_destroy(os);
  }
  assert_true(in_between > 20);
}

/* The same without the sync of the content: the simulator must find the mistake. */
static void the_missing_sync_is_found(void **state) {
  (void)state;
  int found = 0;
  for (uint64_t seed = 0; seed < 100; seed++) {
    struct os *os = create_seeded(seed);
    put_file(os, "/tmp", "text");
    assert_ok(os_file_rename(os, "/tmp", "/current", NULL));
    assert_ok(os_dir_sync(os, "/", NULL));
    reboot(os, OS_SIM_LOSS_DRAWN);
    found += strcmp(content_of(os, "/current").text, "text") != 0;
    os_destroy(os);
  }
  assert_true(found > 20);
}

static void every_operation_can_fail(void **state) {
  (void)state;
  static const int codes[] = {ERR_IO, ERR_DISK_FULL};
  for (size_t c = 0; c < 2; c++) {
    for (uint64_t n = 1;; n++) {
      struct os *os = create_seeded(n);
      int done = 0;
      os_sim_fail_at(os, n, codes[c]);
      int code = write_versions(os, 3, &done);
      if (!code) {
        assert_int_equal(os_sim_operations(os), n - 1);
        assert_int_equal(done, 3);
        assert_int_equal(n - 1, 2 + 3 * 5);
        os_destroy(os);
        break;
      }
      assert_int_equal(code, codes[c]);
      int version = read_version(os);
      assert_true(version == done || version == done + 1);
      os_destroy(os);
    }
  }
}

static void a_dead_disk_stays_dead(void **state) {
  (void)state;
  struct os *os = create_seeded(2);
  put_synced(os, "/f", "text");
  assert_ok(os_dir_sync(os, "/", NULL));
  os_sim_fail_from(os, os_sim_operations(os) + 2, ERR_IO);
  struct os_file *file = open_file(os, "/f", RW);
  assert_ok(os_file_write(file, 4, "x", 1, NULL));
  for (int i = 0; i < 5; i++)
    assert_int_equal(os_file_sync(file, NULL), ERR_IO);
  assert_int_equal(os_dir_create(os, "/d", NULL), ERR_IO);
  os_file_close(file);
  assert_string_equal(content_of(os, "/f").text, "textx"); /* reads go on */
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "text");
  assert_ok(os_dir_create(os, "/d", NULL));
  os_destroy(os);
}

static void reads_are_numbered_on_demand(void **state) {
  (void)state;
  struct os *os = create((struct os_sim_options){.number_reads = true});
  put_file(os, "/f", "text"); /* open, write */
  assert_int_equal(os_sim_operations(os), 2);
  struct os_file *file = open_file(os, "/f", OS_READ);
  char byte;
  size_t got;
  os_sim_fail_at(os, 4, ERR_IO);
  assert_int_equal(os_file_read(file, 0, &byte, 1, &got, NULL), ERR_IO);
  assert_ok(os_file_read(file, 0, &byte, 1, &got, NULL));
  assert_int_equal(os_sim_operations(os), 5);
  os_file_close(file);
  os_destroy(os);
}

/* ---- the watcher ---- */

struct watched {
  const char *call, *path; /* of the call to decide about */
  unsigned skip;           /* of those that fit */
  enum os_sim_verdict verdict;
  unsigned seen, unnumbered;
  bool named;
};

static enum os_sim_verdict watch(void *context, const struct os_sim_event *event, int *code) {
  struct watched *watched = context;
  watched->seen++;
  watched->unnumbered += event->operation == 0;
  watched->named = strcmp(event->thread, "host") == 0;
  *code = ERR_DISK_FULL;
  if (strcmp(event->call, watched->call) || strcmp(event->path, watched->path)) return OS_SIM_GO;
  return watched->skip-- == 0 ? watched->verdict : OS_SIM_GO;
}

static void a_watcher_lets_calls_fail(void **state) {
  (void)state;
  struct os *os = create_seeded(4);
  struct watched watched = {.call = "sync", .path = "/f", .skip = 1, .verdict = OS_SIM_FAIL};
  os_sim_watch(os, watch, &watched);
  put_synced(os, "/f", "old");
  struct os_file *file = open_file(os, "/f", RW);
  assert_int_equal(os_file_sync(file, NULL), ERR_DISK_FULL);
  os_file_close(file);
  watched = (struct watched){.call = "rename", .path = "/f", .verdict = OS_SIM_LOSE_POWER};
  assert_int_equal(os_file_rename(os, "/f", "/g", NULL), ERR_IO);
  assert_true(os_sim_crashed(os) && watched.named && watched.seen == 1);
  os_sim_reboot(os, OS_SIM_LOSS_NONE);
  watched = (struct watched){.call = "", .path = ""};
  (void)os_path_exists(os, "/f"); /* a call without a number is seen as well */
  assert_true(watched.seen == 1 && watched.unnumbered == 1);
  os_sim_watch(os, NULL, NULL);
  (void)os_path_exists(os, "/f");
  assert_int_equal(watched.seen, 1);
  os_destroy(os);
}

/* A drive that says that a sync is done when it is not: the same for names, and for OS_DSYNC. */
static void a_watcher_lets_drives_lie(void **state) {
  (void)state;
  struct os *os = create_seeded(5);
  struct watched watched = {.call = "sync", .path = "/f", .verdict = OS_SIM_PRETEND};
  put_synced(os, "/f", "old");
  assert_ok(os_dir_sync(os, "/", NULL));
  os_sim_watch(os, watch, &watched);
  struct os_file *file = open_file(os, "/f", OS_READ | OS_WRITE);
  assert_ok(os_file_write(file, 0, "new", 3, NULL));
  assert_ok(os_file_sync(file, NULL)); /* it lies */
  os_file_close(file);
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "old");

  watched = (struct watched){.call = "write", .path = "/f", .verdict = OS_SIM_PRETEND};
  file = open_file(os, "/f", OS_READ | OS_WRITE | OS_DSYNC);
  assert_ok(os_file_write(file, 0, "new", 3, NULL)); /* it lies */
  os_file_close(file);
  assert_string_equal(content_of(os, "/f").text, "new");
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "old");

  watched = (struct watched){.call = "dirsync", .path = "/", .verdict = OS_SIM_PRETEND};
  put_synced(os, "/n", "new");
  assert_ok(os_dir_sync(os, "/", NULL)); /* it lies */
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/n").text, "-");
  os_destroy(os);
}

/* Of a write that fails, nothing, all, or a first part is there. */
static void a_failed_write_leaves_a_part(void **state) {
  (void)state;
  bool seen[9] = {false};
  for (uint64_t seed = 1; seed <= 200; seed++) {
    struct os *os = create_seeded(seed);
    struct os_file *file = open_file(os, "/f", RW);
    os_sim_fail_at(os, os_sim_operations(os) + 1, ERR_IO);
    assert_int_equal(os_file_write(file, 0, "12345678", 8, NULL), ERR_IO);
    os_file_close(file);
    struct content content = content_of(os, "/f");
    size_t size = strlen(content.text);
    assert_true(size <= 8 && memcmp(content.text, "12345678", size) == 0);
    seen[size] = true;
    os_destroy(os);
  }
  for (int size = 0; size <= 8; size++)
    assert_true(seen[size]);
}

static void random_failures_happen(void **state) {
  (void)state;
  struct os *os = create((struct os_sim_options){.fail_per_million = 100000});
  struct os_file *file = NULL;
  while (os_file_open(os, "/f", RW, &file, NULL)) {
  }
  int failed = 0;
  for (int i = 0; i < 1000; i++)
    failed += os_file_write(file, 0, "x", 1, NULL) != ERR_OK;
  assert_true(failed > 50 && failed < 200);
  os_file_close(file);
  os_destroy(os);
}

/* ---- disk ---- */

static void the_disk_fills_and_is_freed(void **state) {
  (void)state;
  struct os *os = create((struct os_sim_options){.disk_bytes = 10 * 4096});
  char bytes[4096];
  memset(bytes, 1, sizeof bytes);
  struct os_file *file = open_file(os, "/f", RW);
  struct err err = {.offset = -1};
  int written = 0;
  while (os_file_write(file, (uint64_t)written * 4096, bytes, 4096, &err) == ERR_OK)
    written++;
  assert_int_equal(written, 10);
  assert_int_equal(err.code, ERR_DISK_FULL);
  assert_int_equal(os_sim_disk_used(os), 10 * 4096);
  uint64_t free_bytes, total;
  assert_ok(os_disk_space(os, "/", &free_bytes, &total, NULL));
  assert_int_equal(free_bytes, 0);
  assert_int_equal(total, 10 * 4096);
  assert_int_equal(os_dir_create(os, "/d", &err), ERR_DISK_FULL);
  assert_ok(os_file_write(file, 100, bytes, 4096, NULL)); /* no new block */
  os_sim_set_disk_bytes(os, 11 * 4096);
  assert_int_equal(os_file_write(file, 10 * 4096, bytes, 2048, NULL), ERR_OK);
  assert_ok(os_file_truncate(file, 4096, NULL));
  assert_int_equal(os_sim_disk_used(os), 4096);
  assert_ok(os_file_remove(os, "/f", NULL));
  assert_int_equal(os_sim_disk_used(os), 4096); /* an open file keeps its space */
  os_file_close(file);
  assert_int_equal(os_sim_disk_used(os), 0);
  /* What a power loss brings back counts again. */
  put_synced(os, "/g", "x");
  assert_ok(os_dir_sync(os, "/", NULL));
  assert_ok(os_file_remove(os, "/g", NULL));
  assert_int_equal(os_sim_disk_used(os), 0);
  reboot(os, OS_SIM_LOSS_ALL);
  assert_int_equal(os_sim_disk_used(os), 4096);
  os_destroy(os);
}

static void a_flipped_bit_stays(void **state) {
  (void)state;
  struct os *os = create_seeded(1);
  put_synced(os, "/f", "abc");
  assert_ok(os_dir_sync(os, "/", NULL));
  assert_ok(os_sim_flip_bit(os, "/f", 9, NULL));
  assert_string_equal(content_of(os, "/f").text, "a`c");
  reboot(os, OS_SIM_LOSS_ALL);
  assert_string_equal(content_of(os, "/f").text, "a`c");
  assert_int_equal(os_sim_flip_bit(os, "/f", 24, NULL), ERR_END_OF_INPUT);
  assert_int_equal(os_sim_flip_bit(os, "/none", 0, NULL), ERR_NO_FILE);
  os_destroy(os);
}

static void the_wall_clock_jumps(void **state) {
  (void)state;
  struct os *os = create((struct os_sim_options){.wall_ns = 1000});
  int64_t before = os_monotonic_ns(os);
  assert_true(os_wall_ns(os) < 100000);
  os_sim_set_wall_ns(os, -5000000000);
  assert_true(os_wall_ns(os) < 0);
  assert_true(os_monotonic_ns(os) > before);
  assert_true(os_monotonic_ns(os) < before + 100000);
  os_sleep_ns(os, 3600000000000);
  assert_true(os_monotonic_ns(os) >= before + 3600000000000);
  os_destroy(os);
}

/* ---- fibers ---- */

struct shared {
  struct os *os;
  struct os_mutex lock;
  struct os_cond changed;
  uint32_t order; /* digest of who came when */
  int turns;
  uint64_t crash_seen;
};

static void take_turns(void *context) {
  struct shared *shared = context;
  char path[32];
  os_mutex_lock(&shared->lock);
  int self = ++shared->turns;
  os_mutex_unlock(&shared->lock);
  snprintf(path, sizeof path, "/f%d", self);
  for (int i = 0; i < 20; i++) {
    os_mutex_lock(&shared->lock);
    shared->order = shared->order * 31 + (uint32_t)self;
    os_cond_broadcast(&shared->changed);
    if (i % 5 == 0)
      os_cond_wait_until(&shared->changed, &shared->lock, os_monotonic_ns(shared->os) + 50000);
    os_mutex_unlock(&shared->lock);
    struct os_file *file;
    if (os_file_open(shared->os, path, RW, &file, NULL)) {
      shared->crash_seen++;
      continue;
    }
    os_file_write(file, (uint64_t)i * 100, "some bytes", 10, NULL);
    if (os_random_u64(shared->os) % 4 == 0) os_file_sync(file, NULL);
    os_file_close(file);
  }
}

static void run_turns(void *context) {
  struct shared *shared = context;
  struct os_thread *threads[4];
  for (int i = 0; i < 4; i++)
    assert_ok(os_thread_create(shared->os, "turns", take_turns, shared, &threads[i], NULL));
  take_turns(shared);
  for (int i = 0; i < 4; i++)
    os_thread_join(threads[i]);
}

struct run {
  uint64_t hash;
  uint32_t order;
  uint64_t operations;
};

static struct run run_seed(uint64_t seed, uint64_t crash_at) {
  struct shared shared = {.os = create((struct os_sim_options){.seed = seed, .trace = true})};
  os_mutex_init(&shared.lock, shared.os);
  os_cond_init(&shared.changed, shared.os);
  os_sim_crash_at(shared.os, crash_at);
  os_sim_run(shared.os, run_turns, &shared);
  struct run run = {os_sim_hash(shared.os), shared.order, os_sim_operations(shared.os)};
  assert_int_equal(crash_at > 0, os_sim_crashed(shared.os));
  assert_int_equal(crash_at > 0, shared.crash_seen > 0);
  assert_non_null(strstr(os_sim_trace(shared.os), crash_at ? " POWER LOST" : "turns: write /f"));
  os_cond_deinit(&shared.changed);
  os_mutex_deinit(&shared.lock);
  os_destroy(shared.os);
  return run;
}

static void the_same_seed_gives_the_same_run(void **state) {
  (void)state;
  int orders_differ = 0;
  for (uint64_t seed = 0; seed < 30; seed++) {
    struct run one = run_seed(seed, 0), two = run_seed(seed, 0), other = run_seed(seed + 1000, 0);
    assert_int_equal(one.hash, two.hash);
    assert_int_equal(one.order, two.order);
    assert_int_equal(one.operations, two.operations);
    assert_int_not_equal(one.hash, other.hash);
    orders_differ += one.order != other.order;
    one = run_seed(seed, 1 + seed * 2);
    two = run_seed(seed, 1 + seed * 2);
    assert_int_equal(one.hash, two.hash);
  }
  assert_true(orders_differ > 20);
}

/* Two fibers that each read, then write a counter without a lock lose updates under some seed. */
static void race(void *context) {
  struct shared *shared = context;
  for (int i = 0; i < 10; i++) {
    int seen = shared->turns;
    os_thread_yield(shared->os);
    shared->turns = seen + 1;
  }
}

static void races_are_found(void **state) {
  (void)state;
  int lost = 0;
  for (uint64_t seed = 0; seed < 20; seed++) {
    struct shared shared = {.os = create_seeded(seed)};
    struct os_thread *thread;
    assert_ok(os_thread_create(shared.os, "racer", race, &shared, &thread, NULL));
    race(&shared);
    os_thread_join(thread);
    lost += shared.turns != 20;
    os_destroy(shared.os);
  }
  assert_true(lost > 10);
}

static void count_index(void *context, size_t i) {
  struct shared *shared = context;
  os_mutex_lock(&shared->lock);
  shared->turns += (int)i;
  os_mutex_unlock(&shared->lock);
}

static void the_pool_works_under_many_seeds(void **state) {
  (void)state;
  for (uint64_t seed = 0; seed < 200; seed++) {
    struct shared shared = {.os = create_seeded(seed)};
    os_mutex_init(&shared.lock, shared.os);
    struct os_pool *pool;
    assert_ok(os_pool_create(shared.os, 3, &pool, NULL));
    for (int round = 0; round < 5; round++)
      os_pool_for_each(pool, 12, count_index, &shared);
    os_pool_destroy(pool);
    assert_int_equal(shared.turns, 5 * 66);
    os_mutex_deinit(&shared.lock);
    os_destroy(shared.os);
  }
}

/* A stack as deep as the header promises. */
static void deep(void *context) {
  volatile char bytes[200 * 1024];
  bytes[0] = 1;
  bytes[sizeof bytes - 1] = 2;
  os_thread_yield(((struct shared *)context)->os);
  ((struct shared *)context)->turns = bytes[0] + bytes[sizeof bytes - 1];
}

static void stacks_are_as_deep_as_promised(void **state) {
  (void)state;
  struct shared shared = {.os = create_seeded(1)};
  os_sim_run(shared.os, deep, &shared);
  assert_int_equal(shared.turns, 3);
  os_destroy(shared.os);
}

/* After a power loss, what does not end is dropped with its stack. */
static void wait_forever(void *context) {
  struct shared *shared = context;
  os_mutex_lock(&shared->lock);
  for (;;)
    os_cond_wait(&shared->changed, &shared->lock);
}

static void leave_a_thread(void *context) {
  struct shared *shared = context;
  struct os_thread *thread;
  assert_ok(os_thread_create(shared->os, "waiter", wait_forever, shared, &thread, NULL));
  os_sim_crash(shared->os);
}

static void leftovers_of_a_crash_are_dropped(void **state) {
  (void)state;
  struct shared shared = {.os = create_seeded(1)};
  os_mutex_init(&shared.lock, shared.os);
  os_cond_init(&shared.changed, shared.os);
  os_sim_run(shared.os, leave_a_thread, &shared);
  os_sim_reboot(shared.os, OS_SIM_LOSS_DRAWN);
  put_file(shared.os, "/f", "it goes on");
  os_destroy(shared.os);
}

/* ---- what ends the process ---- */

static void lock_twice(struct shared *shared) {
  os_mutex_lock(&shared->lock);
  os_mutex_lock(&shared->lock);
}

static void unlock_unlocked(struct shared *shared) { os_mutex_unlock(&shared->lock); }

static void take_lock(void *context) { os_mutex_lock(&((struct shared *)context)->lock); }

static void take_lock_and_sleep(void *context) {
  take_lock(context);
  os_sleep_ns(((struct shared *)context)->os, 1000000000);
}

static void end_with_a_lock(struct shared *shared) { os_sim_run(shared->os, take_lock, shared); }

static void unlock_of_another(struct shared *shared) {
  struct os_thread *thread;
  os_thread_create(shared->os, "owner", take_lock_and_sleep, shared, &thread, NULL);
  os_sleep_ns(shared->os, 1000000);
  os_mutex_unlock(&shared->lock);
}

static void wait_alone(struct shared *shared) {
  os_mutex_lock(&shared->lock);
  for (;;)
    os_cond_wait(&shared->changed, &shared->lock);
}

static void deinit_held(struct shared *shared) {
  os_mutex_lock(&shared->lock);
  os_mutex_deinit(&shared->lock);
}

static void leave_thread_behind(void *context) {
  struct shared *shared = context;
  struct os_thread *thread;
  os_thread_create(shared->os, "waiter", wait_forever, shared, &thread, NULL);
}

static void end_with_threads(struct shared *shared) {
  os_sim_run(shared->os, leave_thread_behind, shared);
}

static void never_end_after_crash(struct shared *shared) {
  os_sim_crash(shared->os);
  for (;;)
    os_path_exists(shared->os, "/");
}

static void sleep_on_after_crash(struct shared *shared) {
  os_sim_crash(shared->os);
  for (;;)
    os_sleep_ns(shared->os, 1000000);
}

/* Defects end the process with a report that names them; tried in a child. */
static void misuse_ends_with_a_report(void **state) {
  (void)state;
  static const struct {
    const char *name;
    void (*run)(struct shared *shared);
    const char *report;
  } rows[] = {
      {"locks twice", lock_twice, "locks"},
      {"unlocks what nobody holds", unlock_unlocked, "which nobody holds"},
      {"unlocks what another holds", unlock_of_another, "which owner holds"},
      {"a thread ends with a lock", end_with_a_lock, "ends while it holds 1 locks"},
      {"waits for ever", wait_alone, "deadlock"},
      {"ends a lock that is held", deinit_held, "ends while host holds it"},
      {"ends with threads", end_with_threads, "left threads behind"},
      {"tries on after a crash", never_end_after_crash, "power was lost long ago"},
      {"sleeps on after a crash", sleep_on_after_crash, "power was lost long ago"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
      signal(SIGABRT, SIG_DFL);
      dup2(ends[1], 2);
      close(ends[0]);
      struct shared shared;
      memset(&shared, 0, sizeof shared);
      shared.os = create_seeded(1);
      os_mutex_init(&shared.lock, shared.os);
      os_cond_init(&shared.changed, shared.os);
      rows[i].run(&shared);
      _exit(0);
    }
    close(ends[1]);
    char text[4096];
    size_t used = 0;
    ssize_t got;
    while (used < sizeof text - 1 && (got = read(ends[0], text + used, sizeof text - 1 - used)) > 0)
      used += (size_t)got;
    text[used] = 0;
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status) || !strstr(text, rows[i].report))
      fail_msg("%s: status %d, said: %s", rows[i].name, status, text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(synced_content_and_names_survive),
      cmocka_unit_test(nothing_else_survives_the_worst_loss),
      cmocka_unit_test(a_killed_process_loses_nothing),
      cmocka_unit_test(a_write_through_dsync_survives),
      cmocka_unit_test(an_unsynced_rename_loses_nothing),
      cmocka_unit_test(sectors_are_kept_lost_and_torn),
      cmocka_unit_test(an_unsynced_cut_is_whole),
      cmocka_unit_test(a_failed_sync_forsakes),
      cmocka_unit_test(after_the_loss_all_calls_fail),
      cmocka_unit_test(acknowledged_versions_survive_a_thousand_seeds),
      cmocka_unit_test(the_missing_sync_is_found),
      cmocka_unit_test(every_operation_can_fail),
      cmocka_unit_test(a_dead_disk_stays_dead),
      cmocka_unit_test(reads_are_numbered_on_demand),
      cmocka_unit_test(a_watcher_lets_calls_fail),
      cmocka_unit_test(a_watcher_lets_drives_lie),
      cmocka_unit_test(a_failed_write_leaves_a_part),
      cmocka_unit_test(random_failures_happen),
      cmocka_unit_test(the_disk_fills_and_is_freed),
      cmocka_unit_test(a_flipped_bit_stays),
      cmocka_unit_test(the_wall_clock_jumps),
      cmocka_unit_test(the_same_seed_gives_the_same_run),
      cmocka_unit_test(races_are_found),
      cmocka_unit_test(the_pool_works_under_many_seeds),
      cmocka_unit_test(stacks_are_as_deep_as_promised),
      cmocka_unit_test(leftovers_of_a_crash_are_dropped),
      cmocka_unit_test(misuse_ends_with_a_report),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
