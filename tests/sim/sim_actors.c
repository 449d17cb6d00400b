/* The actors of a generation: each is a fiber that takes its steps of the plan in order and stops
 * when the power is gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columnar/builder.h"
#include "sim.h"
#include "store/transfer.h"

enum { SERIES = 6, KEYS = 200, LARGE_ROWS = 1200 };

static const uint32_t column_ids[SIM_COLUMNS + 1] = {1, 2, 7, STORE_COLUMN_MARK};
static const struct type column_types[SIM_COLUMNS + 1] = {{PHYSICAL_INT64, 0, 0},
                                                          {PHYSICAL_STRING, 0, 0},
                                                          {PHYSICAL_FLOAT64, 0, 0},
                                                          {PHYSICAL_BOOL, 0, 0}};

/* ---- drawing attempts ---- */

static int64_t draw_key(uint64_t *dice) {
  static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -1, INT64_MAX - 1, INT64_MAX};
  if (sim_draw_once_in(dice, 40)) return extremes[sim_draw_below(dice, 5)];
  return (int64_t)sim_draw_below(dice, KEYS);
}

static void remove_equal_places(struct sim_rows *rows) {
  size_t kept = 0;
  for (size_t i = 0; i < rows->count; i++) {
    const struct sim_row *row = &rows->rows[i];
    if (kept && rows->rows[kept - 1].series == row->series && rows->rows[kept - 1].key == row->key)
      continue;
    rows->rows[kept++] = *row;
  }
  rows->count = kept;
}

/* A line needs a field, and times have their limits. */
static void fit_line(struct sim_row *row) {
  if (row->present == 0) row->present = 1;
  if (row->key < 0 || row->key > 100000) row->key &= 1023;
}

static bool newest_wins(enum store_policy policy) {
  return policy == STORE_NEWEST_COLUMN || policy == STORE_NEWEST_ROW;
}

static void draw_rows(struct sim_change *change, enum store_policy policy, uint64_t count,
                      bool lines, uint64_t *dice) {
  bool marks = newest_wins(policy) && !lines && sim_draw_once_in(dice, 3);
  bool large = count > 100;
  uint64_t series = 1 + sim_draw_below(dice, SERIES);
  int64_t key = (int64_t)sim_draw_below(dice, 1000);
  uint64_t values = sim_draw_once_in(dice, 2) ? 3 : 100000;
  for (uint64_t i = 0; i < count; i++) {
    struct sim_row row = {.series = large ? series : 1 + sim_draw_below(dice, SERIES),
                          .key = large ? key + (int64_t)i : draw_key(dice),
                          .order = (uint32_t)i,
                          .present = (uint8_t)sim_draw_below(dice, 1 << SIM_COLUMNS)};
    if (sim_draw_once_in(dice, 2)) row.present = (1 << SIM_COLUMNS) - 1;
    if (lines) fit_line(&row);
    row.mark = marks && sim_draw_once_in(dice, 4);
    if (row.mark) row.present = 0;
    for (int c = 0; c < SIM_COLUMNS; c++)
      row.value[c] = row.present >> c & 1 ? (uint32_t)sim_draw_below(dice, values) : 0;
    sim_rows_add(&change->rows, &row);
  }
  sim_rows_sort(&change->rows);
  if (newest_wins(policy)) remove_equal_places(&change->rows);
}

/* Deletes spare the witness series: by name, or by the range of keys. */
static void draw_delete(struct sim_change *change, uint64_t *dice) {
  struct sim_delete *mark = &change->deletes[change->delete_count++];
  int64_t a = draw_key(dice), b = draw_key(dice);
  *mark = (struct sim_delete){.key_min = a < b ? a : b, .key_max = a < b ? b : a};
  if (sim_draw_once_in(dice, 3)) {
    mark->key_min = INT64_MIN;
    mark->key_max = INT64_MAX;
  }
  uint64_t first = 1 + sim_draw_below(dice, SERIES);
  mark->series[mark->series_count++] = first;
  if (sim_draw_once_in(dice, 2)) mark->series[mark->series_count++] = first + 1;
  if (change->store == 1 || !sim_draw_once_in(dice, 4)) return;
  mark->series_count = 0;
}

/* The witness comes last in store 1: its series is the highest. */
static void add_witness(struct sim_attempt *attempt) {
  struct sim_row row = {.series = SIM_WITNESS, .key = (int64_t)attempt->id, .present = 1};
  row.value[0] = (uint32_t)attempt->id;
  row.order = 1 << 30;
  struct sim_change *anchor = sim_attempt_change(attempt, 1);
  sim_rows_add(&anchor->rows, &row);
}

static int compare_changes(const void *a, const void *b) {
  const struct sim_change *x = a, *y = b;
  return x->store < y->store ? -1 : x->store > y->store;
}

static void draw_attempt(struct sim_world *world, unsigned kind, uint64_t dice,
                         struct sim_attempt *attempt) {
  const struct sim_config *config = &world->plan->config;
  bool large = false;
  for (uint64_t store = 1; store <= config->stores; store++) {
    if (!sim_draw_once_in(&dice, 2)) continue;
    uint64_t rows = 1 + sim_draw_below(&dice, 8);
    bool many = kind == STEP_WRITE_LARGE && !large && !sim_draw_once_in(&dice, 3);
    large |= many;
    if (many) rows = 200 + sim_draw_below(&dice, LARGE_ROWS);
    bool deletes = kind == STEP_DELETE && !config->tables && !sim_draw_once_in(&dice, 3);
    struct sim_change *change = sim_attempt_change(attempt, store);
    if (deletes) draw_delete(change, &dice);
    if (deletes && sim_draw_once_in(&dice, 4)) draw_delete(change, &dice);
    if (!deletes || sim_draw_once_in(&dice, 2))
      draw_rows(change, config->policy[store], rows, config->tables, &dice);
  }
  if (kind == STEP_DROP && config->stores > 2 && !config->tables) {
    struct sim_change *change =
        sim_attempt_change(attempt, 3 + sim_draw_below(&dice, config->stores - 2));
    sim_rows_deinit(&change->rows);
    change->delete_count = 0;
    change->drop = true;
  }
  add_witness(attempt);
  qsort(attempt->changes, attempt->change_count, sizeof *attempt->changes, compare_changes);
}

/* ---- writing ---- */

/* One change in the form that the store takes. */
struct packed {
  struct builder builders[SIM_COLUMNS + 1]; /* the last one: marks */
  struct store_column columns[SIM_COLUMNS + 1];
  struct store_tombstone tombstones[2];
  uint64_t *series;
  int64_t *keys;
};

/* The other way is value_of in sim_oracle.c. */
static void fill_columns(struct packed *packed, const struct sim_row *row) {
  static const char padding[41] = "----------------------------------------";
  char text[64];
  for (int c = 0; c < SIM_COLUMNS; c++) {
    uint32_t value = row->value[c];
    if (!(row->present >> c & 1))
      builder_append_null(&packed->builders[c]);
    else if (c == 0)
      builder_append_i64(&packed->builders[c], (int64_t)value * 3);
    else if (c == 2)
      builder_append_f64(&packed->builders[c], (double)value / 8);
    else
      builder_append_str(
          &packed->builders[c],
          (struct str){text, (size_t)snprintf(text, sizeof text, "%u%.*s", (unsigned)value,
                                              (int)(value % 40), padding)});
  }
  if (row->mark)
    builder_append_bool(&packed->builders[SIM_COLUMNS], true);
  else
    builder_append_null(&packed->builders[SIM_COLUMNS]);
}

static int pack(struct packed *packed, const struct sim_change *change, enum store_policy policy,
                struct mem_account *account, struct store_rows *out, struct err *err) {
  *packed = (struct packed){0};
  size_t count = change->rows.count;
  packed->series = malloc((count + 1) * sizeof *packed->series);
  packed->keys = malloc((count + 1) * sizeof *packed->keys);
  if (!packed->series || !packed->keys) abort();
  for (int c = 0; c <= SIM_COLUMNS; c++)
    builder_init(&packed->builders[c], column_types[c], account);
  for (size_t i = 0; i < count; i++) {
    packed->series[i] = change->rows.rows[i].series;
    packed->keys[i] = change->rows.rows[i].key;
    fill_columns(packed, &change->rows.rows[i]);
  }
  *out = (struct store_rows){.store = change->store,
                             .policy = policy,
                             .rows = (uint32_t)count,
                             .series = packed->series,
                             .keys = packed->keys,
                             .columns = packed->columns,
                             .tombstones = packed->tombstones,
                             .tombstone_count = (uint32_t)change->delete_count,
                             .drop = change->drop};
  for (size_t i = 0; i < change->delete_count; i++) {
    const struct sim_delete *mark = &change->deletes[i];
    packed->tombstones[i] =
        (struct store_tombstone){.series = mark->series_count ? mark->series : NULL,
                                 .series_count = mark->series_count,
                                 .key_min = mark->key_min,
                                 .key_max = mark->key_max};
  }
  for (int c = 0; c <= SIM_COLUMNS; c++) {
    int code = builder_check(&packed->builders[c], err);
    if (code) return code;
    struct column column = builder_view(&packed->builders[c]);
    if (count && column.null_count < (int64_t)count)
      packed->columns[out->column_count++] = (struct store_column){column_ids[c], column};
  }
  return ERR_OK;
}

static void packed_deinit(struct packed *packed) {
  for (int c = 0; c <= SIM_COLUMNS; c++)
    builder_deinit(&packed->builders[c]);
  free(packed->series);
  free(packed->keys);
}

static int submit(struct sim_world *world, struct sim_attempt *attempt, uint64_t *number,
                  struct err *err) {
  if (world->engine) return sim_table_write(world, attempt, number, err);
  struct packed *packed = calloc(attempt->change_count, sizeof *packed);
  struct store_rows *rows = calloc(attempt->change_count, sizeof *rows);
  if (!packed || !rows) abort();
  int code = ERR_OK;
  for (size_t i = 0; i < attempt->change_count && code == ERR_OK; i++) {
    const struct sim_change *change = &attempt->changes[i];
    /* The builders' memory is the simulator's: refusals are for the store. */
    code = pack(&packed[i], change, world->plan->config.policy[change->store], &world->own,
                &rows[i], err);
    world->stats->rows_written += change->rows.count;
  }
  if (code == ERR_OK) code = store_write(world->shard, rows, attempt->change_count, number, err);
  for (size_t i = 0; i < attempt->change_count; i++)
    packed_deinit(&packed[i]);
  free(packed);
  free(rows);
  return code;
}

int sim_write(struct sim_world *world, unsigned kind, uint64_t dice) {
  struct sim_attempt *attempt = sim_history_attempt(&world->history);
  struct err err;
  draw_attempt(world, kind, dice, attempt);
  uint64_t before = world->highest, number = 0;
  int code = submit(world, attempt, &number, &err);
  if (code == ERR_OK) {
    if (number <= before)
      sim_violation(world, "commit number %llu after %llu", (unsigned long long)number,
                    (unsigned long long)before);
    if (!sim_history_number(&world->history, attempt, number))
      sim_violation(world, "commit number %llu is given twice", (unsigned long long)number);
    attempt->acknowledged_ns = os_monotonic_ns(world->os);
    if (number > world->highest) world->highest = number;
    world->stats->commits_acknowledged++;
  } else if (!os_sim_crashed(world->os)) {
    attempt->fate = FATE_REFUSED;
    sim_expect_explained(world, "a write", code, &err);
  }
  return code;
}

/* ---- reading ---- */

struct held {
  struct sim_pin pin;
  bool pinned;
  uint64_t commit;
  struct sim_rows rows[SIM_STORES_MAX + 1];
  bool read[SIM_STORES_MAX + 1];
};

/* Pins the newest snapshot: it must hold what was acknowledged before. False when a fault kept it
 * from that. */
static bool pin_newest(struct sim_world *world, struct sim_pin *pin, uint64_t *commit) {
  struct err err;
  uint64_t acknowledged = world->highest;
  int code = sim_pin_acquire(world, pin, &err);
  if (code) {
    if (!os_sim_crashed(world->os)) sim_expect_explained(world, "pinning a snapshot", code, &err);
    return false;
  }
  *commit = store_snapshot_commit(pin->store);
  if (*commit < acknowledged)
    sim_violation(world, "a snapshot ends at commit %llu, after %llu was acknowledged",
                  (unsigned long long)*commit, (unsigned long long)acknowledged);
  return true;
}

/* False when a fault kept it from reading. */
static bool read_held(struct sim_world *world, const struct sim_pin *pin,
                      const struct sim_question *question, struct sim_rows *rows) {
  struct err err;
  uint64_t damaged = 0;
  int code = sim_read(world, pin, question, rows, &damaged, &err);
  if (os_sim_crashed(world->os)) {
    sim_rows_deinit(rows);
    return false;
  }
  sim_expect_explained(world, "a query", code, &err);
  if (damaged) sim_violation(world, "an answer is degraded without damage");
  return code == ERR_OK;
}

static struct sim_question draw_question(const struct sim_world *world, uint64_t *dice) {
  struct sim_question question =
      sim_question_all(1 + sim_draw_below(dice, world->plan->config.stores));
  if (sim_draw_once_in(dice, 2)) {
    question.series_min = sim_draw_below(dice, SERIES + 1);
    question.series_max = question.series_min + sim_draw_below(dice, SERIES);
  }
  if (sim_draw_once_in(dice, 2)) {
    int64_t a = draw_key(dice), b = draw_key(dice);
    question.key_min = a < b ? a : b;
    question.key_max = a < b ? b : a;
  }
  if (sim_draw_once_in(dice, 2)) question.columns &= (uint8_t)sim_draw(dice);
  if (sim_draw_once_in(dice, 6)) question.head = 1 + (uint32_t)sim_draw_below(dice, 5);
  if (sim_draw_once_in(dice, 6)) question.tail = 1 + (uint32_t)sim_draw_below(dice, 5);
  if (question.head) question.tail = 0;
  return question;
}

static void step_read(struct sim_world *world, uint64_t dice) {
  uint64_t commit;
  struct sim_rows rows;
  struct sim_pin pin;
  if (!pin_newest(world, &pin, &commit)) return;
  struct sim_question question = draw_question(world, &dice);
  uint64_t back = world->plan->config.history_commits;
  if (back && !world->engine && newest_wins(world->plan->config.policy[question.store]) &&
      sim_draw_once_in(&dice, 2)) {
    back = sim_draw_below(&dice, back);
    question.as_of = commit > back ? commit - back : commit;
    if (question.as_of == 0) question.as_of = commit;
    question.head = question.tail = 0;
    world->stats->answers_as_of++;
  }
  if (read_held(world, &pin, &question, &rows)) sim_answer_check(world, commit, &question, &rows);
  sim_pin_release(&pin);
}

static void step_hold(struct sim_world *world, struct held *held) {
  *held = (struct held){0};
  held->pinned = pin_newest(world, &held->pin, &held->commit);
  for (uint64_t store = 1; held->pinned && store <= world->plan->config.stores; store++) {
    struct sim_question question = sim_question_all(store);
    held->read[store] = read_held(world, &held->pin, &question, &held->rows[store]);
  }
}

/* Whatever happened meanwhile, the snapshot's answers are the same. */
static void look_again(struct sim_world *world, struct held *held) {
  for (uint64_t store = 1; held->pinned && store <= world->plan->config.stores; store++) {
    struct sim_question question = sim_question_all(store);
    struct sim_rows rows;
    if (!held->read[store] || !read_held(world, &held->pin, &question, &rows)) continue;
    size_t at = sim_rows_difference(&held->rows[store], &rows);
    if (at != SIZE_MAX)
      sim_violation(world, "a held snapshot of commit %llu changed: store %llu, row %zu of %zu",
                    (unsigned long long)held->commit, (unsigned long long)store, at, rows.count);
    sim_rows_deinit(&rows);
    world->stats->snapshots_looked_again++;
  }
}

static void let_go(struct sim_world *world, struct held *held) {
  for (uint64_t store = 1; store <= world->plan->config.stores; store++) {
    struct sim_question question = sim_question_all(store);
    if (held->read[store]) sim_answer_check(world, held->commit, &question, &held->rows[store]);
    sim_rows_deinit(&held->rows[store]);
  }
  if (held->pinned) sim_pin_release(&held->pin);
  *held = (struct held){0};
}

/* ---- driving ---- */

static void step_drive(struct sim_world *world, unsigned kind, uint64_t dice) {
  const struct sim_config *config = &world->plan->config;
  uint64_t store = sim_draw_once_in(&dice, 2) ? 0 : 1 + sim_draw_below(&dice, config->stores);
  uint64_t before = world->highest;
  struct err err;
  bool did;
  int code;
  if (kind == STEP_FLUSH)
    code = store_flush(world->shard, store, &err);
  else if (kind == STEP_MERGE)
    code = store_merge(world->shard, store, &err);
  else
    code = config->background ? ERR_OK : store_work(world->shard, &did, &err);
  if (os_sim_crashed(world->os)) return;
  sim_expect_explained(world, sim_step_name(kind), code, &err);
  if (code == ERR_OK && kind == STEP_FLUSH && store == 0 && before > world->floor)
    world->floor = before;
}

/* Links a snapshot; the oracle opens it after the next start. Modes that lose the end of the
 * history would leave nothing to compare it with. */
static void step_link(struct sim_world *world) {
  struct sim_pin pin;
  uint64_t commit;
  struct sim_copy *copy = &world->copies[world->copy_count];
  if (world->engine || world->plan->config.sync != STORE_SYNC_ALWAYS ||
      world->copy_count == SIM_COPIES_MAX || !pin_newest(world, &pin, &commit))
    return;
  struct err err;
  struct sim_copy made = {.commit = commit};
  snprintf(made.path, sizeof made.path, "/copy%u", world->copies_tried++);
  int code = store_snapshot_link(world->shard, pin.store, made.path, NULL, NULL, &err);
  sim_pin_release(&pin);
  if (code == ERR_OK) {
    *copy = made;
    world->copy_count++;
    world->stats->copies_made++;
  } else if (!os_sim_crashed(world->os)) {
    sim_expect_explained(world, "linking a snapshot", code, &err);
  }
}

/* ---- fibers ---- */

struct actor {
  struct sim_world *world;
  unsigned number;
};

static void take_step(struct actor *actor, const struct sim_step *step, struct held *held) {
  struct sim_world *world = actor->world;
  uint64_t dice = step->dice;
  struct held *one = &held[sim_draw_below(&dice, SIM_HELD_MAX)];
  switch (step->kind) {
  case STEP_SLEEP:
    os_sleep_ns(world->os, (int64_t)sim_draw_below(&dice, 20000000));
    break;
  case STEP_READ:
    step_read(world, dice);
    break;
  case STEP_HOLD:
    if (!one->pinned) step_hold(world, one);
    break;
  case STEP_LOOK_AGAIN:
    look_again(world, one);
    break;
  case STEP_LET_GO:
    let_go(world, one);
    break;
  case STEP_LINK:
    step_link(world);
    break;
  case STEP_FLUSH:
  case STEP_MERGE:
  case STEP_WORK:
    step_drive(world, step->kind, dice);
    break;
  default:
    (void)sim_write(world, step->kind, dice);
  }
}

static void actor_main(void *context) {
  struct actor *actor = context;
  struct sim_world *world = actor->world;
  struct held held[SIM_HELD_MAX] = {0};
  for (size_t i = 0; i < world->plan->step_count; i++) {
    const struct sim_step *step = &world->plan->steps[i];
    if (step->generation != world->generation || step->actor != actor->number || step->off)
      continue;
    if (os_sim_crashed(world->os)) break;
    take_step(actor, step, held);
  }
  for (int i = 0; i < SIM_HELD_MAX; i++) {
    if (!held[i].pinned) continue;
    if (!os_sim_crashed(world->os)) look_again(world, &held[i]);
    let_go(world, &held[i]);
  }
}

void sim_actors_run(struct sim_world *world) {
  struct actor actors[SIM_ACTORS_MAX];
  struct os_thread *threads[SIM_ACTORS_MAX] = {0};
  for (unsigned i = 0; i < SIM_ACTORS_MAX; i++) {
    char name[16];
    bool writer = i < SIM_WRITERS_MAX;
    bool admin = i + 1 == SIM_ACTORS_MAX;
    snprintf(name, sizeof name, "%s%u", writer ? "writer" : admin ? "admin" : "reader", i);
    actors[i] = (struct actor){.world = world, .number = i};
    if (os_thread_create(world->os, name, actor_main, &actors[i], &threads[i], NULL)) abort();
  }
  for (unsigned i = 0; i < SIM_ACTORS_MAX; i++)
    os_thread_join(threads[i]);
}
