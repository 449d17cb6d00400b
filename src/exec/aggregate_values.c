/* Aggregates that need every value: median, percentile, mode, count of distinct values; and the
 * columns that ride along with a selector.
 *
 * An entry is a few words: the value (numbers as ordered keys, strings as the address of a copy or,
 * in a column of codes, as the code), where places count its time and rank, and, for the selector
 * that carries, the carried values. Entries lie in blocks that double, in the table's arena. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "columnar/bits.h"
#include "exec/aggregate_state.h"

enum { BLOCK_MIN = 8, BLOCK_MAX = 8192 };

uint64_t aggregate__key(struct type type, uint64_t bits) {
  if (type.physical == PHYSICAL_INT64) return sort_key_i64((int64_t)bits);
  if (type.physical == PHYSICAL_FLOAT64) return sort_key_f64(aggregate_bits_float(bits) + 0.0);
  return bits;
}

uint64_t aggregate__key_bits(struct type type, uint64_t key) {
  if (type.physical == PHYSICAL_INT64) return (uint64_t)sort_key_to_i64(key);
  if (type.physical == PHYSICAL_FLOAT64) return aggregate_float_bits(sort_key_to_f64(key));
  return key;
}

/* ---- keeping ---- */

/* Room for one more entry; NULL when memory is refused. */
static uint64_t *new_entry(struct aggregate_table *table, const struct aggregate_call *call,
                           struct state_values *state) {
  struct value_block *block = state->last;
  if (!block || block->count == block->capacity) {
    uint32_t capacity = block ? block->capacity * 2 : BLOCK_MIN;
    if (capacity > BLOCK_MAX) capacity = BLOCK_MAX;
    struct value_block *grown =
        arena_alloc(&table->arena, sizeof *grown + (size_t)capacity * call->stride * 8);
    if (!grown) return NULL;
    *grown = (struct value_block){.capacity = capacity};
    if (block)
      block->next = grown;
    else
      state->first = grown;
    state->last = block = grown;
  }
  state->count++;
  return block->words + (size_t)block->count++ * call->stride;
}

static int copy_text(struct aggregate_table *table, struct str text, uint64_t *word,
                     struct err *err) {
  struct str *copy = ARENA_NEW(&table->arena, struct str);
  if (copy) *copy = arena_copy(&table->arena, text);
  if (!copy || (!copy->data && text.size)) return mem_refused(table->arena.account, text.size, err);
  *word = (uint64_t)(uintptr_t)copy;
  return ERR_OK;
}

int aggregate__carry(struct aggregate_table *table, const struct aggregate_input *input,
                     int64_t row, uint64_t *words, struct err *err) {
  const struct aggregator *aggregator = table->aggregator;
  uint32_t count = aggregator->carried_count;
  memset(words + count, 0, (count + 63) / 64 * 8);
  for (uint32_t i = 0; i < count; i++) {
    const struct column *column = &input->columns[aggregator->carried[i]];
    if (!column_is_valid(column, row)) continue;
    struct str text = {NULL, 0};
    bit_set(words + count, i);
    words[i] = exec__row_bits(column, row, &text);
    if (!type_is_string(column->type) || column->dictionary) continue;
    int code = copy_text(table, text, &words[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

int aggregate__keep(struct aggregate_table *table, const struct aggregate_call *call,
                    const struct aggregate_input *input, const struct aggregate_slice *slice,
                    struct err *err) {
  const struct column *column = &input->columns[call->column];
  const uint64_t *validity = input->validity[call->column];
  struct state_values *state = (void *)((uint8_t *)slice->record + call->offset);
  bool strings = type_is_string(column->type) && !column->dictionary;
  state->codes |= column->dictionary != NULL;
  for (uint32_t i = 0; i < slice->rows; i++) {
    uint32_t row = slice->descending ? slice->row + slice->rows - 1 - i : slice->row + i;
    if (validity && !bit_get(validity, row)) continue;
    uint64_t *entry = new_entry(table, call, state);
    if (!entry) return mem_refused(table->arena.account, call->stride * 8, err);
    struct str text = {NULL, 0};
    uint64_t bits = exec__row_bits(column, row, &text);
    int code = ERR_OK;
    if (strings)
      code = copy_text(table, text, entry, err);
    else
      *entry = aggregate__key(call->argument, bits);
    if (!code && call->places) {
      entry[1] = sort_key_i64(input->keys[row]);
      entry[2] = sort_key_i64(slice->rank);
    }
    if (!code && call->carries) code = aggregate__carry(table, input, row, entry + 3, err);
    if (code) return code;
  }
  return ERR_OK;
}

/* ---- finishing ---- */

/* How entries are ordered: by value, then by place. */
struct entry_order {
  bool strings, places;
};
static int compare_values(uint64_t a, uint64_t b, bool strings) {
  if (!strings) return (a > b) - (a < b);
  return str_compare(*(const struct str *)(uintptr_t)a, *(const struct str *)(uintptr_t)b);
}
static int compare_entries(const void *a, const void *b, void *context) {
  const struct entry_order *order = context;
  const uint64_t *x = *(const uint64_t *const *)a, *y = *(const uint64_t *const *)b;
  int by = compare_values(x[0], y[0], order->strings);
  if (by || !order->places) return by;
  if (x[1] != y[1]) return x[1] < y[1] ? -1 : 1;
  return (x[2] > y[2]) - (x[2] < y[2]);
}

/* True when entries hold addresses of strings. */
static bool has_texts(const struct aggregate_call *call, const struct state_values *state) {
  return type_is_string(call->argument) && !state->codes;
}

/* All entries in order; freed by the caller with count * 8 bytes. */
static int sort_entries(const struct aggregator *aggregator, const struct aggregate_call *call,
                        const struct state_values *state, const uint64_t ***out, struct err *err) {
  struct mem_account *account = aggregator->exec->options.account;
  size_t size = state->count * sizeof(uint64_t *), at = 0;
  const uint64_t **entries = mem_alloc(account, size);
  if (!entries) return mem_refused(account, size, err);
  for (const struct value_block *block = state->first; block; block = block->next)
    for (uint32_t i = 0; i < block->count; i++)
      entries[at++] = block->words + (size_t)i * call->stride;
  struct entry_order order = {has_texts(call, state), call->places};
  qsort_r(entries, state->count, sizeof *entries, compare_entries, &order);
  *out = entries;
  return ERR_OK;
}

/* InfluxDB's nearest rank: the value at floor(n * p / 100 + 0.5) - 1; nothing when that is none. */
static bool percentile_place(const struct aggregate_call *call, uint64_t count, uint64_t *place) {
  double rank = floor((double)count * call->parameter / 100.0 + 0.5) - 1;
  if (!(rank >= 0) || rank >= (double)count) return false;
  *place = (uint64_t)rank;
  return true;
}

static void finish_entries(const struct aggregate_call *call, const struct state_values *state,
                           const uint64_t *const *entries, struct aggregate_result *result) {
  bool strings = has_texts(call, state);
  const uint64_t *chosen = entries[0];
  uint64_t count = state->count, distinct = 1, place = 0, most = 0;
  for (uint64_t from = 0; from < count;) {
    uint64_t to = from + 1;
    while (to < count && compare_values(entries[from][0], entries[to][0], strings) == 0)
      to++;
    bool wins = to - from > most;
    if (to - from == most && call->places)
      wins = entries[from][1] < chosen[1] ||
             (entries[from][1] == chosen[1] && entries[from][2] < chosen[2]);
    if (wins) chosen = entries[from];
    if (to - from > most) most = to - from;
    distinct += from > 0;
    from = to;
  }
  if (call->function == AGGREGATE_COUNT_DISTINCT) {
    result->bits = distinct;
    return;
  }
  if (call->function == AGGREGATE_PERCENTILE) {
    result->present = percentile_place(call, count, &place);
    chosen = entries[place];
  }
  result->bits = strings ? chosen[0] : aggregate__key_bits(call->argument, chosen[0]);
  if (call->function != AGGREGATE_PERCENTILE || !call->places) return;
  result->has_time = true;
  result->time = sort_key_to_i64(chosen[1]);
  if (call->carries) result->carried = chosen + 3;
}

/* Numbers without places: selected, not sorted. */
static void finish_keys(const struct aggregate_call *call, uint64_t *keys, uint64_t count,
                        struct aggregate_result *result) {
  uint64_t place;
  if (call->function == AGGREGATE_PERCENTILE) {
    result->present = percentile_place(call, count, &place);
    if (result->present)
      result->bits = aggregate__key_bits(call->argument, sort_select(keys, count, place));
    return;
  }
  uint64_t upper = sort_select(keys, count, count / 2);
  double median = aggregate_number(call->argument, aggregate__key_bits(call->argument, upper));
  if (count % 2 == 0) {
    uint64_t lower = 0;
    for (uint64_t i = 0; i < count / 2; i++)
      lower = keys[i] > lower ? keys[i] : lower;
    double other = aggregate_number(call->argument, aggregate__key_bits(call->argument, lower));
    median = (other + median) / 2;
  }
  result->bits = aggregate_float_bits(median);
}

int aggregate__finish_values(const struct aggregator *aggregator, const struct aggregate_call *call,
                             const struct state_values *state, struct aggregate_result *result,
                             struct err *err) {
  struct mem_account *account = aggregator->exec->options.account;
  size_t size = state->count * sizeof(uint64_t);
  bool whole = call->places || type_is_string(call->argument) || call->function == AGGREGATE_MODE ||
               call->function == AGGREGATE_COUNT_DISTINCT;
  if (whole) {
    const uint64_t **entries = NULL;
    int code = sort_entries(aggregator, call, state, &entries, err);
    if (code) return code;
    finish_entries(call, state, entries, result);
    mem_free(account, entries, size);
    return ERR_OK;
  }
  uint64_t *keys = mem_alloc(account, size);
  if (!keys) return mem_refused(account, size, err);
  size_t at = 0;
  for (const struct value_block *block = state->first; block; block = block->next) {
    memcpy(keys + at, block->words, block->count * sizeof *keys); /* entries of one word */
    at += block->count;
  }
  finish_keys(call, keys, state->count, result);
  mem_free(account, keys, size);
  return ERR_OK;
}

/* ---- statistics ---- */

static bool from_range(const struct aggregate_call *call, struct state_choice *state,
                       const struct column_statistics *statistics) {
  bool max = call->function == AGGREGATE_MAX, ordered = statistics->flags & STATISTICS_RANGE;
  uint64_t value = max ? statistics->max.u64 : statistics->min.u64;
  if (!ordered && statistics->count && statistics->nan_count < statistics->count) return false;
  if (call->places) { /* only those that can't win are answered */
    bool loses = state->ordered && ordered &&
                 (max ? aggregate_less(call->argument, value, state->value)
                      : aggregate_less(call->argument, state->value, value));
    if (!loses) return false;
  } else if (!ordered) {
    if (state->count == 0) state->value = aggregate_float_bits(NAN);
  } else if (!state->ordered || (max ? aggregate_less(call->argument, state->value, value)
                                     : aggregate_less(call->argument, value, state->value))) {
    state->value = value;
    state->ordered = 1;
  }
  state->count += statistics->count;
  return true;
}

static bool from_ends(const struct aggregate_call *call, struct state_choice *state,
                      const struct column_statistics *statistics, int64_t rank) {
  bool last = call->function == AGGREGATE_LAST;
  int64_t time = last ? statistics->last_key : statistics->first_key;
  if (!(statistics->flags & STATISTICS_ENDS) || type_is_string(call->argument)) return false;
  bool is_earlier = time < state->time || (time == state->time && rank < state->rank);
  bool wins = state->count == 0 || is_earlier != last;
  if (wins && call->carries) return false;
  state->count++;
  if (!wins) return true;
  state->value = last ? statistics->last.u64 : statistics->first.u64;
  state->time = time;
  state->rank = rank;
  return true;
}

static bool from_sum(const struct aggregate_call *call, void *state,
                     const struct column_statistics *statistics) {
  if (!(statistics->flags & STATISTICS_SUM)) return false;
  if (call->argument.physical != PHYSICAL_FLOAT64) {
    struct state_sum_integer *sum = state;
    unsigned __int128 total = ((unsigned __int128)sum->high << 64 | sum->low) +
                              ((unsigned __int128)statistics->sum_high << 64 | statistics->sum_low);
    sum->count += statistics->count;
    sum->low = (uint64_t)total;
    sum->high = (uint64_t)(total >> 64);
    return true;
  }
  struct state_sum_float *sum = state;
  struct float_sum more = {statistics->nan_count ? NAN : statistics->sum, statistics->compensation};
  sum->count += statistics->count;
  float_sum_merge(&sum->sum, &more);
  return true;
}

bool aggregate_apply_statistics(const struct aggregate_call *call, void *record,
                                const struct column_statistics *statistics, int64_t rank,
                                bool mixed) {
  void *state = (uint8_t *)record + call->offset;
  if (statistics->count == 0) return true;
  switch (call->function) {
  case AGGREGATE_COUNT:
    *(uint64_t *)state += statistics->count;
    return true;
  case AGGREGATE_SUM:
  case AGGREGATE_MEAN:
    return from_sum(call, state, statistics);
  case AGGREGATE_MIN:
  case AGGREGATE_MAX:
    return from_range(call, state, statistics);
  case AGGREGATE_FIRST:
  case AGGREGATE_LAST:
    return !mixed && from_ends(call, state, statistics, rank);
  case AGGREGATE_SPREAD: {
    struct state_spread *spread = state;
    if (!(statistics->flags & STATISTICS_RANGE)) return false;
    spread->count += statistics->count;
    if (!spread->ordered || aggregate_less(call->argument, statistics->min.u64, spread->min))
      spread->min = statistics->min.u64;
    if (!spread->ordered || aggregate_less(call->argument, spread->max, statistics->max.u64))
      spread->max = statistics->max.u64;
    spread->ordered = 1;
    return true;
  }
  default:
    return false;
  }
}
