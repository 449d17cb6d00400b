/* The oracle: what may be there, and nothing else.
 *
 * Commit numbers are dense. So after a start every number up to the store's last commit belongs to
 * an attempt: to an acknowledged one, which must be there; or, where a number is missing, to one
 * that had no answer when the store ended and whose witness row (in store 1, never deleted) is
 * there. When several are, the order in which they got the missing numbers is found by trying. Then
 * every store must hold, row by row, what the model makes of commits 1 to last: so nothing
 * acknowledged is missing, no commit is there by half, nothing is there that nobody wrote, nothing
 * deleted or dropped is back. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static const uint32_t column_ids[SIM_COLUMNS] = {1, 2, 7};

/* ---- reading ---- */

struct sim_question sim_question_all(uint64_t store) {
  return (struct sim_question){.store = store,
                               .series_max = UINT64_MAX,
                               .key_min = INT64_MIN,
                               .key_max = INT64_MAX,
                               .columns = (1 << SIM_COLUMNS) - 1};
}

uint32_t sim_value_of(struct sim_world *world, const struct column *column, int c, int64_t row) {
  if (c == 0) return (uint32_t)(column->i64[row] / 3);
  if (c == 2) return (uint32_t)(column->f64[row] * 8);
  struct str text = column_str(column, row);
  uint32_t value = 0;
  size_t i = 0;
  for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
    value = value * 10 + (uint32_t)(text.data[i] - '0');
  if (text.size - i != value % 40)
    sim_violation(world, "a text of %zu bytes is not one that anybody wrote", text.size);
  return value;
}

static void take_chunk(struct sim_world *world, const struct store_chunk *chunk,
                       const int *column_of, uint32_t columns, struct sim_rows *rows) {
  for (uint32_t r = 0; r < chunk->run_count; r++)
    for (uint32_t i = chunk->runs[r].row; i < chunk->runs[r].row + chunk->runs[r].rows; i++) {
      struct sim_row row = {.series = chunk->runs[r].series, .key = chunk->keys[i]};
      for (uint32_t c = 0; c < columns; c++)
        if (column_is_valid(&chunk->columns[c], i)) {
          row.present |= (uint8_t)(1u << column_of[c]);
          row.value[column_of[c]] = sim_value_of(world, &chunk->columns[c], column_of[c], i);
        }
      sim_rows_add(rows, &row);
    }
}

int sim_read(struct sim_world *world, const struct sim_pin *pin,
             const struct sim_question *question, struct sim_rows *rows, uint64_t *damaged,
             struct err *err) {
  if (pin->tables) return sim_table_read(world, pin->tables, question, rows, damaged, err);
  uint32_t wanted[SIM_COLUMNS];
  int column_of[SIM_COLUMNS];
  struct store_scan_spec spec = {.store = question->store,
                                 .series_min = question->series_min,
                                 .series_max = question->series_max,
                                 .key_min = question->key_min,
                                 .key_max = question->key_max,
                                 .columns = wanted,
                                 .head = question->head,
                                 .tail = question->tail,
                                 .as_of = question->as_of,
                                 .account = &world->account};
  for (int c = 0; c < SIM_COLUMNS; c++)
    if (question->columns >> c & 1) {
      column_of[spec.column_count] = c;
      wanted[spec.column_count++] = column_ids[c];
    }
  struct store_scan *scan = NULL;
  struct store_chunk chunk = {.rows = 1};
  *rows = (struct sim_rows){0};
  int code = store_scan_open(pin->store, &spec, &scan, err);
  while (code == ERR_OK && chunk.rows) {
    code = store_scan_next(scan, &chunk, err);
    if (code == ERR_OK && chunk.rows) code = store_scan_load(scan, &chunk, true, UINT64_MAX, err);
    if (code == ERR_CONFLICT) { /* a part was found damaged: the chunk comes again without it */
      code = ERR_OK;
      continue;
    }
    if (code == ERR_OK && chunk.rows) take_chunk(world, &chunk, column_of, spec.column_count, rows);
  }
  if (scan) {
    struct store_scan_figures figures;
    store_scan_figures(scan, &figures);
    if (damaged) *damaged += figures.parts_damaged;
    store_scan_close(scan);
  }
  if (code) sim_rows_deinit(rows);
  return code;
}

/* ---- answers ---- */

static void report_difference(struct sim_world *world, const char *what, uint64_t store,
                              uint64_t commit, const struct sim_rows *expected,
                              const struct sim_rows *got, size_t at) {
  char a[160] = "no row", b[160] = "no row";
  if (at < expected->count) sim_row_text(&expected->rows[at], a);
  if (at < got->count) sim_row_text(&got->rows[at], b);
  sim_violation(world,
                "%s: store %llu at commit %llu, row %zu of %zu (expected %zu): expected %s, got %s",
                what, (unsigned long long)store, (unsigned long long)commit, at, got->count,
                expected->count, a, b);
}

static void compare_answer(struct sim_world *world, const struct sim_answer *answer) {
  struct sim_rows expected;
  struct sim_rows got = answer->rows;
  uint64_t commit = answer->question.as_of ? answer->question.as_of : answer->commit;
  sim_history_rows(&world->history, answer->question.store,
                   world->plan->config.policy[answer->question.store], commit, &expected);
  if (sim_history_dropped(&world->history, answer->question.store, answer->commit))
    expected.count = 0;
  sim_rows_filter(&expected, &answer->question);
  sim_rows_filter(&got, &answer->question);
  size_t at = sim_rows_difference(&expected, &got);
  if (at != SIZE_MAX)
    report_difference(world, "an answer is wrong", answer->question.store, answer->commit,
                      &expected, &got, at);
  world->stats->snapshots_checked++;
  world->stats->rows_checked += got.count;
  sim_rows_deinit(&expected);
}

void sim_answer_check(struct sim_world *world, uint64_t commit, const struct sim_question *question,
                      struct sim_rows *rows) {
  struct sim_answer answer = {.commit = commit, .question = *question, .rows = *rows};
  *rows = (struct sim_rows){0};
  if (sim_history_knows(&world->history, commit)) {
    compare_answer(world, &answer);
    sim_rows_deinit(&answer.rows);
    return;
  }
  if (world->answer_count == world->answer_capacity) {
    world->answer_capacity = world->answer_capacity ? world->answer_capacity * 2 : 16;
    world->answers = realloc(world->answers, world->answer_capacity * sizeof *world->answers);
    if (!world->answers) abort();
  }
  world->answers[world->answer_count++] = answer;
}

void sim_answers_settle(struct sim_world *world, bool final) {
  size_t kept = 0;
  for (size_t i = 0; i < world->answer_count; i++) {
    struct sim_answer *answer = &world->answers[i];
    bool known = sim_history_knows(&world->history, answer->commit);
    if (known) compare_answer(world, answer);
    if (known || final)
      sim_rows_deinit(&answer->rows);
    else
      world->answers[kept++] = *answer;
  }
  world->answer_count = kept;
}

/* ---- a start ---- */

struct contents {
  uint64_t last;
  struct sim_rows stores[SIM_STORES_MAX + 1];
  uint64_t damaged;
};

static int read_contents(struct sim_world *world, struct contents *contents, struct err *err) {
  struct sim_pin pin;
  *contents = (struct contents){0};
  int code = sim_pin_acquire(world, &pin, err);
  if (code) return code;
  contents->last = store_snapshot_commit(pin.store);
  for (uint64_t store = 1; store <= world->plan->config.stores && code == ERR_OK; store++) {
    struct sim_question question = sim_question_all(store);
    code = sim_read(world, &pin, &question, &contents->stores[store], &contents->damaged, err);
  }
  sim_pin_release(&pin);
  return code;
}

static void contents_deinit(struct contents *contents) {
  for (size_t i = 0; i <= SIM_STORES_MAX; i++)
    sim_rows_deinit(&contents->stores[i]);
}

/* The first store that differs from the model; 0: none. */
static uint64_t differing_store(struct sim_world *world, const struct contents *contents,
                                bool report) {
  for (uint64_t store = 1; store <= world->plan->config.stores; store++) {
    struct sim_rows expected;
    sim_history_rows(&world->history, store, world->plan->config.policy[store], contents->last,
                     &expected);
    size_t at = sim_rows_difference(&expected, &contents->stores[store]);
    if (at != SIZE_MAX && report)
      report_difference(world, "after a start", store, contents->last, &expected,
                        &contents->stores[store], at);
    sim_rows_deinit(&expected);
    if (at != SIZE_MAX) return store;
  }
  return 0;
}

enum { UNDECIDED_MAX = 6 };

struct decision {
  struct sim_attempt *attempts[UNDECIDED_MAX]; /* that had no answer, and are there */
  uint64_t gaps[UNDECIDED_MAX];
  size_t attempt_count, gap_count;
  uint64_t highest; /* acknowledged, and there */
};

/* Power was lost in a mode that syncs later: the end of the history may be gone. */
static bool may_lose(const struct sim_world *world) {
  return world->lost && world->plan->config.sync != STORE_SYNC_ALWAYS;
}

/* An acknowledged commit is not there: only a mode that syncs later may lose it, only with the
 * power, and only as much as it says. */
static void check_lost(struct sim_world *world, const struct sim_attempt *attempt, uint64_t last) {
  const struct sim_config *config = &world->plan->config;
  unsigned harmless = 1u << FAULT_CLOCK | 1u << FAULT_POWER | 1u << FAULT_WORST | 1u << FAULT_KILL;
  bool quiet = (world->lost_struck & ~harmless) == 0;
  int64_t age = world->lost_ns - attempt->acknowledged_ns;
  const char *why = NULL;
  if (!may_lose(world))
    why = "it was acknowledged";
  else if (attempt->number <= world->floor)
    why = "it was durable";
  else if (config->sync == STORE_SYNC_INTERVAL && config->background && quiet &&
           age > 2 * config->sync_interval_ns + 20000000)
    why = "the interval had passed";
  if (why)
    sim_violation(world, "commit %llu is gone (the last is %llu), although %s",
                  (unsigned long long)attempt->number, (unsigned long long)last, why);
  world->stats->commits_lost_by_mode++;
}

static bool *find_witnesses(struct sim_world *world, const struct contents *contents) {
  const struct sim_rows *anchor = &contents->stores[1];
  bool *present = calloc(world->history.count + 1, sizeof *present);
  if (!present) abort();
  for (size_t i = 0; i < anchor->count; i++) {
    const struct sim_row *row = &anchor->rows[i];
    if (row->series != SIM_WITNESS) continue;
    if (row->key < 1 || row->key > (int64_t)world->history.count)
      sim_violation(world, "there is a witness row of attempt %lld, which never was",
                    (long long)row->key);
    present[row->key] = true;
  }
  return present;
}

/* Which attempts are there. What is not is gone for ever. */
static void decide(struct sim_world *world, const struct contents *contents,
                   struct decision *decision) {
  bool *present = find_witnesses(world, contents);
  for (size_t i = 0; i < world->history.count; i++) {
    struct sim_attempt *attempt = world->history.attempts[i];
    bool here = present[attempt->id];
    if (attempt->fate == FATE_GONE && here)
      sim_violation(world, "attempt %llu was gone and is back", (unsigned long long)attempt->id);
    if (attempt->fate == FATE_ACKNOWLEDGED && here && attempt->number > decision->highest)
      decision->highest = attempt->number;
    if (attempt->fate == FATE_ACKNOWLEDGED && !here) {
      check_lost(world, attempt, contents->last);
      world->history.numbered[attempt->number] = &world->history.burnt;
      attempt->fate = FATE_GONE;
    }
    if (attempt->fate != FATE_TRIED && attempt->fate != FATE_REFUSED) continue;
    world->stats->commits_undecided++;
    if (!here) attempt->fate = FATE_GONE;
    if (here && decision->attempt_count == UNDECIDED_MAX)
      sim_violation(world, "%d refused commits are there", UNDECIDED_MAX + 1);
    if (here) decision->attempts[decision->attempt_count++] = attempt;
  }
  free(present);
  if (decision->highest > contents->last)
    sim_violation(world, "commit %llu is there, but the last is said to be %llu",
                  (unsigned long long)decision->highest, (unsigned long long)contents->last);
  sim_history_cut(&world->history, contents->last);
}

/* Numbers that nobody was told belong to the attempts without an answer. A mode that loses the end
 * may have burnt numbers: all that are free behind what is there. */
static void find_gaps(struct sim_world *world, const struct contents *contents,
                      struct decision *decision) {
  for (uint64_t number = 1; number <= contents->last; number++) {
    struct sim_attempt *attempt = sim_history_at(&world->history, number);
    bool burnt = attempt == &world->history.burnt;
    if (burnt && number < decision->highest && number > world->floor)
      sim_violation(world, "commit %llu is gone, but %llu is there", (unsigned long long)number,
                    (unsigned long long)decision->highest);
    if (attempt) continue;
    if (decision->gap_count < decision->attempt_count) {
      decision->gaps[decision->gap_count++] = number;
      continue;
    }
    if (!may_lose(world) || number < decision->highest)
      sim_violation(world, "commit %llu is one that nobody tried", (unsigned long long)number);
    world->history.numbered[number] = &world->history.burnt;
  }
  if (decision->gap_count != decision->attempt_count)
    sim_violation(world, "%zu commits without an answer are there, for %zu free numbers up to %llu",
                  decision->attempt_count, decision->gap_count, (unsigned long long)contents->last);
}

/* Tries the orders in which the attempts from `first` on may have got the free numbers. */
static bool place_undecided(struct sim_world *world, const struct contents *contents,
                            struct decision *decision, size_t first) {
  if (first == decision->attempt_count) return differing_store(world, contents, false) == 0;
  for (size_t i = first; i < decision->attempt_count; i++) {
    struct sim_attempt *chosen = decision->attempts[i];
    decision->attempts[i] = decision->attempts[first];
    decision->attempts[first] = chosen;
    world->history.numbered[decision->gaps[first]] = chosen;
    if (place_undecided(world, contents, decision, first + 1)) return true;
    world->history.numbered[decision->gaps[first]] = NULL;
    decision->attempts[first] = decision->attempts[i];
    decision->attempts[i] = chosen;
  }
  return false;
}

static void fix_undecided(struct sim_world *world, struct decision *decision) {
  for (size_t i = 0; i < decision->attempt_count; i++) {
    uint64_t number = decision->gaps[i];
    struct sim_attempt *attempt = world->history.numbered[number];
    if (!attempt) attempt = decision->attempts[i]; /* no order fits: any serves the report */
    world->history.numbered[number] = NULL;
    (void)sim_history_number(&world->history, attempt, number);
    world->stats->commits_found++;
  }
}

void sim_oracle_start(struct sim_world *world) {
  struct contents contents;
  struct decision decision = {0};
  struct err err;
  int code = read_contents(world, &contents, &err);
  if (code) {
    char text[512];
    err_format(&err, text, sizeof text);
    sim_violation(world, "reading after a start fails: %s", text);
  }
  if (contents.damaged) sim_violation(world, "an answer is degraded without damage");
  while (world->history.numbered_capacity <= contents.last + 1) {
    struct sim_attempt none;
    (void)sim_history_number(&world->history, &none, contents.last + 1);
    world->history.numbered[contents.last + 1] = NULL;
  }
  decide(world, &contents, &decision);
  find_gaps(world, &contents, &decision);
  if (!place_undecided(world, &contents, &decision, 0)) {
    fix_undecided(world, &decision);
    (void)differing_store(world, &contents, true);
  }
  fix_undecided(world, &decision);
  sim_answers_settle(world, true);
  world->highest = world->floor = contents.last;
  world->lost = false;
  world->lost_struck = 0;
  world->stats->stores_checked += world->plan->config.stores;
  for (size_t i = 0; i <= SIM_STORES_MAX; i++)
    world->stats->rows_checked += contents.stores[i].count;
  contents_deinit(&contents);
}

/* ---- linked snapshots ---- */

static void check_copy(struct sim_world *world, const struct sim_copy *copy) {
  struct sim_world other = {.plan = world->plan, .stats = world->stats, .os = world->os};
  struct contents contents;
  struct err err;
  other.options = world->options;
  other.options.path = copy->path;
  other.options.background = false;
  int code = store_shard_open(&other.options, &other.shard, &err);
  if (code == ERR_OK) code = read_contents(&other, &contents, &err);
  if (code) {
    char text[512];
    err_format(&err, text, sizeof text);
    sim_violation(world, "the linked snapshot %s cannot be read: %s", copy->path, text);
  }
  if (contents.last != copy->commit)
    sim_violation(world, "the linked snapshot %s of commit %llu ends at %llu", copy->path,
                  (unsigned long long)copy->commit, (unsigned long long)contents.last);
  (void)differing_store(world, &contents, true);
  contents_deinit(&contents);
  store_shard_close(other.shard);
  world->stats->copies_checked++;
}

void sim_oracle_copies(struct sim_world *world) {
  for (size_t i = 0; i < world->copy_count; i++)
    check_copy(world, &world->copies[i]);
  world->copy_count = 0;
}

/* ---- damage ---- */

bool sim_oracle_degraded(struct sim_world *world) {
  struct contents contents;
  struct store_figures figures;
  struct err err;
  int code = read_contents(world, &contents, &err);
  bool exact = code == ERR_OK && contents.last >= world->highest &&
               differing_store(world, &contents, false) == 0;
  store_shard_figures(world->shard, &figures);
  bool said = code != ERR_OK || contents.damaged || figures.damaged_records ||
              figures.tail_bytes_cut || figures.parts_quarantined;
  if (code && err_info(code)->class != ERR_CLASS_CORRUPTION) {
    char text[512];
    err_format(&err, text, sizeof text);
    sim_violation(world, "a turned bit ends in another error than corruption: %s", text);
  }
  if (!exact && !said) sim_violation(world, "a turned bit changed the answer, and nothing says so");
  for (uint64_t store = 1; store <= world->plan->config.stores; store++)
    for (size_t i = 0; i < contents.stores[store].count; i++) {
      const struct sim_row *row = &contents.stores[store].rows[i];
      char text[160];
      if (!sim_history_wrote(&world->history, store, row))
        sim_violation(world, "store %llu has a row that nobody wrote: %s",
                      (unsigned long long)store, sim_row_text(row, text));
    }
  world->stats->degraded_answers += !exact;
  contents_deinit(&contents);
  return exact;
}
