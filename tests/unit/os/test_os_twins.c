/* Both twins against each other: random calls, drawn from a printed seed, must be answered alike.
 * And the simulation against power losses in the middle of such calls: what was synced and left
 * alone is untouched, the rest is made of what was written. */
#include "twins.h"

enum { ROUNDS = 40, CALLS = 300, HANDLES = 4, BYTES_MAX = 12000 };

struct dice {
  uint64_t state;
};

static uint32_t draw(struct dice *dice, uint32_t bound) {
  dice->state = dice->state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)((dice->state >> 33) % bound);
}

static const char *const names[] = {"a",     "b", "d",   "d/a",   "d/b", "d/e",
                                    "d/e/a", "e", "e/f", "e/f/a", "e/a", "none/a"};
enum { NAMES = sizeof names / sizeof *names };

/* One twin's answers, as text, so that a difference can be read. */
struct side {
  struct os *os;
  char root[160];
  struct os_file *handles[HANDLES];
  char answer[8192];
};

static void answer(struct side *side, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void answer(struct side *side, const char *format, ...) {
  size_t used = strlen(side->answer);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(side->answer + used, sizeof side->answer - used, format, arguments);
  va_end(arguments);
}

static struct twin_path path_in(const struct side *side, const char *name) {
  struct twin_path path;
  snprintf(path.text, sizeof path.text, "%s/%s", side->root, name);
  return path;
}

static uint32_t digest(const uint8_t *bytes, size_t size) {
  uint32_t result = 17;
  for (size_t i = 0; i < size; i++)
    result = result * 31 + bytes[i];
  return result;
}

static int list_entry(void *context, const char *name, bool is_dir) {
  answer(context, " %s%s", name, is_dir ? "/" : "");
  return 0;
}

/* One call, by numbers that are the same for both sides. */
struct step {
  uint32_t kind, handle, offset, size;
  unsigned flags;
  uint8_t byte;
  const char *from, *to;
};

enum { KINDS = 16 };

static struct step draw_step(struct dice *dice) {
  static const unsigned flags[] = {OS_READ,
                                   OS_READ | OS_WRITE,
                                   OS_READ | OS_WRITE | OS_CREATE,
                                   OS_READ | OS_WRITE | OS_CREATE | OS_EXCLUSIVE,
                                   OS_READ | OS_WRITE | OS_CREATE | OS_TRUNCATE,
                                   OS_READ | OS_WRITE | OS_CREATE | OS_DSYNC,
                                   OS_READ | OS_WRITE | OS_TRUNCATE};
  return (struct step){
      .kind = draw(dice, KINDS),
      .handle = draw(dice, HANDLES),
      .offset = draw(dice, 2) ? draw(dice, BYTES_MAX) : draw(dice, 4) * 4096,
      .size = draw(dice, BYTES_MAX),
      .flags = flags[draw(dice, sizeof flags / sizeof *flags)],
      .byte = (uint8_t)draw(dice, 256),
      .from = names[draw(dice, NAMES)],
      .to = names[draw(dice, NAMES)],
  };
}

static void open_step(struct side *side, const struct step *step, const char *path) {
  struct os_file **handle = &side->handles[step->handle];
  os_file_close(*handle);
  answer(side, "open %d", os_file_open(side->os, path, step->flags, handle, NULL));
}

static void handle_step(struct side *side, const struct step *step) {
  static uint8_t bytes[BYTES_MAX];
  struct os_file *file = side->handles[step->handle];
  if (!file) return;
  uint64_t size = 0;
  size_t got = 0;
  switch (step->kind) {
  case 0:
  case 1:
    answer(side, "read %d", os_file_read(file, step->offset, bytes, step->size, &got, NULL));
    answer(side, " %zu %u", got, digest(bytes, got));
    break;
  case 2:
    answer(side, "size %d", os_file_size(file, &size, NULL));
    answer(side, " %llu", (unsigned long long)size);
    break;
  case 3:
    answer(side, "sync %d", os_file_sync(file, NULL));
    break;
  case 4:
    answer(side, "lock %d", os_file_lock(file, NULL));
    break;
  }
}

/* Writes and truncates through a handle of its own: a handle must be open for writing. */
static void write_step(struct side *side, const struct step *step, const char *path) {
  static uint8_t bytes[BYTES_MAX];
  struct os_file *file;
  int code = os_file_open(side->os, path, OS_WRITE, &file, NULL);
  answer(side, "open %d", code);
  if (code) return;
  memset(bytes, step->byte, step->size);
  if (step->kind == 7)
    answer(side, " truncate %d", os_file_truncate(file, step->offset, NULL));
  else
    answer(side, " write %d", os_file_write(file, step->offset, bytes, step->size, NULL));
  if (step->byte % 4 == 0) answer(side, " sync %d", os_file_sync(file, NULL));
  os_file_close(file);
}

static void run_step(struct side *side, const struct step *step) {
  struct twin_path from = path_in(side, step->from), to = path_in(side, step->to);
  struct os *os = side->os;
  side->answer[0] = 0;
  switch (step->kind) {
  case 5:
    open_step(side, step, from.text);
    break;
  case 6:
  case 7:
  case 8:
    write_step(side, step, from.text);
    break;
  case 9:
    answer(side, "mkdir %d", os_dir_create(os, from.text, NULL));
    break;
  case 10:
    answer(side, "rmdir %d", os_dir_remove(os, from.text, NULL));
    break;
  case 11:
    answer(side, "remove %d", os_file_remove(os, from.text, NULL));
    break;
  case 12:
    answer(side, "rename %d", os_file_rename(os, from.text, to.text, NULL));
    break;
  case 13:
    answer(side, "link %d", os_file_link(os, from.text, to.text, NULL));
    break;
  case 14:
    answer(side, "list %d", os_dir_list(os, from.text, list_entry, side, NULL));
    break;
  case 15:
    answer(side, "dirsync %d exists %d", os_dir_sync(os, from.text, NULL),
           os_path_exists(os, to.text));
    break;
  default:
    handle_step(side, step);
  }
}

static void close_handles(struct side *side) {
  for (int i = 0; i < HANDLES; i++) {
    os_file_close(side->handles[i]);
    side->handles[i] = NULL;
  }
}

static void both_twins_answer_alike(void **state) {
  struct twin *real = *state;
  for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
    struct side one = {.os = real->os}, two = {.root = ""};
    struct os_sim_options options = {.seed = seed};
    assert_ok(os_sim_create(&options, &two.os, NULL));
    snprintf(one.root, sizeof one.root, "%s", real->root);
    struct dice dice = {seed};
    for (int i = 0; i < CALLS; i++) {
      struct step step = draw_step(&dice);
      run_step(&one, &step);
      run_step(&two, &step);
      if (strcmp(one.answer, two.answer) != 0)
        fail_msg("seed %llu, call %d, %s %s: real \"%s\", simulated \"%s\"",
                 (unsigned long long)seed, i, step.from, step.to, one.answer, two.answer);
    }
    close_handles(&one);
    close_handles(&two);
    twin_empty(one.os, one.root);
    os_destroy(two.os);
  }
}

/* ---- power losses ---- */

struct survey {
  struct os *os;
  char path[1024];
  bool used[256]; /* bytes that were ever written */
  uint32_t digest;
};

static int survey_entry(void *context, const char *name, bool is_dir);

static void survey_folder(struct survey *survey) {
  assert_ok(os_dir_list(survey->os, survey->path, survey_entry, survey, NULL));
}

/* Reads every file below; every byte must be one that was written. */
static int survey_entry(void *context, const char *name, bool is_dir) {
  struct survey *survey = context;
  size_t length = strlen(survey->path);
  snprintf(survey->path + length, sizeof survey->path - length, "/%s", name);
  survey->digest = survey->digest * 31 + digest((const uint8_t *)name, strlen(name));
  if (is_dir) {
    survey_folder(survey);
  } else {
    static uint8_t bytes[4 * BYTES_MAX];
    struct os_file *file;
    size_t got;
    assert_ok(os_file_open(survey->os, survey->path, OS_READ, &file, NULL));
    assert_ok(os_file_read(file, 0, bytes, sizeof bytes, &got, NULL));
    os_file_close(file);
    for (size_t i = 0; i < got; i++)
      assert_true(survey->used[bytes[i]]);
    survey->digest = survey->digest * 31 + digest(bytes, got);
  }
  survey->path[length] = 0;
  return 0;
}

static uint32_t survey(struct os *os, const char *path, const bool *used) {
  struct survey survey = {.os = os, .digest = 1};
  snprintf(survey.path, sizeof survey.path, "%s", path);
  memcpy(survey.used, used, sizeof survey.used);
  survey_folder(&survey);
  return survey.digest;
}

static int sync_entry(void *context, const char *name, bool is_dir);

static void sync_folder(struct survey *survey) {
  assert_ok(os_dir_list(survey->os, survey->path, sync_entry, survey, NULL));
  assert_ok(os_dir_sync(survey->os, survey->path, NULL));
}

static int sync_entry(void *context, const char *name, bool is_dir) {
  struct survey *survey = context;
  size_t length = strlen(survey->path);
  snprintf(survey->path + length, sizeof survey->path - length, "/%s", name);
  if (is_dir) {
    sync_folder(survey);
  } else {
    struct os_file *file;
    assert_ok(os_file_open(survey->os, survey->path, OS_READ, &file, NULL));
    assert_ok(os_file_sync(file, NULL));
    os_file_close(file);
  }
  survey->path[length] = 0;
  return 0;
}

static void sync_all(struct os *os, const char *path) {
  struct survey survey = {.os = os};
  snprintf(survey.path, sizeof survey.path, "%s", path);
  sync_folder(&survey);
}

static void random_steps(struct side *side, struct dice *dice, int count, bool *used) {
  for (int i = 0; i < count; i++) {
    struct step step = draw_step(dice);
    used[step.byte] = true;
    run_step(side, &step);
  }
  close_handles(side);
}

static void losses_spare_what_was_synced(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 150; seed++) {
    struct side side = {.root = "/quiet"};
    struct os_sim_options options = {.seed = seed};
    assert_ok(os_sim_create(&options, &side.os, NULL));
    assert_ok(os_dir_create(side.os, "/quiet", NULL));
    assert_ok(os_dir_create(side.os, "/busy", NULL));
    struct dice dice = {seed};
    bool used[256] = {true};
    random_steps(&side, &dice, 150, used);
    sync_all(side.os, "/");
    uint32_t quiet = survey(side.os, "/quiet", used);
    for (int loss = 0; loss < 4; loss++) {
      snprintf(side.root, sizeof side.root, "/busy");
      os_sim_crash_at(side.os, 20 + draw(&dice, 60));
      random_steps(&side, &dice, 150, used);
      os_sim_crash(side.os);
      os_sim_reboot(side.os, OS_SIM_LOSS_DRAWN);
      if (survey(side.os, "/quiet", used) != quiet)
        fail_msg("seed %llu, loss %d: synced files changed", (unsigned long long)seed, loss);
      survey(side.os, "/busy", used);
      /* What was found after a power loss is durable: a second one changes nothing. */
      uint32_t all = survey(side.os, "/", used);
      os_sim_crash(side.os);
      os_sim_reboot(side.os, OS_SIM_LOSS_DRAWN);
      assert_int_equal(survey(side.os, "/", used), all);
    }
    os_destroy(side.os);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_twins_answer_alike),
      cmocka_unit_test(losses_spare_what_was_synced),
  };
  return cmocka_run_group_tests_name("twins", tests, twin_setup_real, twin_teardown);
}
