/* Records and pages; applying slices to the states that fold; merging; results. */
#include "exec/aggregate_state.h"

#include <string.h>

#include "base/decimal.h"
#include "base/err.h"
#include "columnar/bits.h"
#include "kernel/select.h"

enum { PAGE_BUCKETS = 16, DENSE = 1024 };

/* ---- layout ---- */

static uint32_t state_size(enum plan_aggregate function, struct type argument, bool *values) {
  *values = false;
  switch (function) {
  case AGGREGATE_COUNT:
    return sizeof(uint64_t);
  case AGGREGATE_SUM:
  case AGGREGATE_MEAN:
    return argument.physical == PHYSICAL_FLOAT64 ? sizeof(struct state_sum_float)
                                                 : sizeof(struct state_sum_integer);
  case AGGREGATE_MIN:
  case AGGREGATE_MAX:
  case AGGREGATE_FIRST:
  case AGGREGATE_LAST:
    return sizeof(struct state_choice);
  case AGGREGATE_SPREAD:
    return sizeof(struct state_spread);
  case AGGREGATE_STDDEV:
    return sizeof(struct state_moments);
  default:
    *values = true;
    return sizeof(struct state_values);
  }
}

/* SQL's exact sums of integers are those of every language until they are told. */
static enum plan_aggregate state_of(enum plan_aggregate function, bool *exact) {
  *exact = function == AGGREGATE_SUM_EXACT || function == AGGREGATE_MEAN_EXACT;
  return function == AGGREGATE_SUM_EXACT    ? AGGREGATE_SUM
         : function == AGGREGATE_MEAN_EXACT ? AGGREGATE_MEAN
                                            : function;
}

/* True for the aggregates whose states are told here. */
static bool is_own(enum plan_aggregate function) { return function <= AGGREGATE_COUNT_DISTINCT; }

/* A call whose state is one of aggregate_kind.h. Its second argument, if any, is the time. */
static int compile_other(struct aggregator *aggregator, const struct plan_aggregate_call *of,
                         struct aggregate_call *call, struct err *err) {
  const struct plan_schema *input = aggregator->input;
  struct arena *arena = &aggregator->exec->memory;
  struct aggregate_function *other = ARENA_NEW(arena, struct aggregate_function);
  uint32_t *arguments = ARENA_ARRAY(arena, uint32_t, 2);
  struct plan_value *parameter = ARENA_NEW(arena, struct plan_value);
  if (!other || !arguments || !parameter)
    return exec__refused(aggregator->exec, sizeof *other, err);
  bool timed = plan_aggregate_takes_time(of->function);
  uint32_t least, most;
  plan_aggregate_parameters(of->function, &least, &most);
  arguments[0] = of->column;
  arguments[1] = input->group_count;
  *parameter = (struct plan_value){.type = TYPE_FLOAT64, .f64 = of->parameter};
  struct plan_group_call as_group = {.function = (uint8_t)of->function,
                                     .arguments = arguments,
                                     .argument_count = timed ? 2 : 1,
                                     .parameters = parameter,
                                     .parameter_count = most && (least || of->parameter != 0),
                                     .filter = PLAN_NO_COLUMN};
  if (timed && !input->has_time)
    return err_set(err, ERR_INTERNAL, "an aggregate by time over rows without time");
  int code = exec__aggregate_compile(aggregator->exec, &as_group, input, other, err);
  if (code) return code;
  aggregator->any_times |= timed;
  aggregator->record_size += other->state_size;
  call->other = other;
  call->to_edges = of->to_edges;
  return ERR_OK;
}

int aggregator_init(struct aggregator *aggregator, struct exec *exec,
                    const struct plan_aggregation *plan, const struct plan_schema *input,
                    struct err *err) {
  *aggregator =
      (struct aggregator){.exec = exec,
                          .plan = plan,
                          .loops = kernel_loops(),
                          .call_count = plan->call_count,
                          .carried = plan->carried,
                          .carried_count = plan->carried_count,
                          .page_buckets = plan_bucket_is_all(&plan->bucket) ? 1 : PAGE_BUCKETS,
                          .input = input};
  aggregator->calls = ARENA_ARRAY(&exec->memory, struct aggregate_call, plan->call_count + 1);
  if (!aggregator->calls) return exec__refused(exec, sizeof *aggregator->calls, err);
  uint32_t carried_words = plan->carried_count + (plan->carried_count + 63) / 64;
  bool selector_seen = false;
  for (uint32_t i = 0; i < plan->call_count; i++) {
    const struct plan_aggregate_call *of = &plan->calls[i];
    struct aggregate_call *call = &aggregator->calls[i];
    bool values, exact, selector = plan_aggregate_is_selector(of->function) && !selector_seen;
    enum plan_aggregate function = state_of(of->function, &exact);
    *call = (struct aggregate_call){.function = function,
                                    .exact = exact,
                                    .argument = input->columns[of->column].type,
                                    .result = of->type,
                                    .parameter = of->parameter,
                                    .column = of->column,
                                    .offset = aggregator->record_size};
    if (!is_own(function)) {
      int code = compile_other(aggregator, of, call, err);
      if (code) return code;
      continue;
    }
    selector_seen |= selector;
    call->carries = selector && plan->carried_count;
    call->places = of->function == AGGREGATE_FIRST || of->function == AGGREGATE_LAST ||
                   of->function == AGGREGATE_MODE ||
                   (selector && (plan->selected_time || plan->carried_count));
    aggregator->record_size += state_size(function, call->argument, &values);
    if (values) call->stride = 1 + (call->places ? 2 : 0) + (call->carries ? carried_words : 0);
    aggregator->any_places |= call->places;
  }
  aggregator->carried_offset = aggregator->record_size;
  aggregator->record_size += carried_words * 8;
  if (aggregator->record_size == 0) aggregator->record_size = 8;
  return ERR_OK;
}

void aggregate_table_init(struct aggregate_table *table, const struct aggregator *aggregator) {
  *table = (struct aggregate_table){.aggregator = aggregator};
  arena_init(&table->arena, aggregator->exec->options.account, 16384);
}

void aggregate_table_settle(struct aggregate_table *table) {
  mem_free(table->arena.account, table->slots, table->hash_capacity * sizeof *table->slots);
  table->slots = NULL;
  table->hash_capacity = 0;
  table->last = NULL;
}

static void free_lists(struct aggregate_table *table) {
  struct mem_account *account = table->arena.account;
  mem_free(account, table->pages, table->page_capacity * sizeof(struct aggregate_page *));
  aggregate_table_settle(table);
}

void aggregate_table_deinit(struct aggregate_table *table) {
  if (!table->aggregator) return;
  free_lists(table);
  arena_deinit(&table->arena);
  table->aggregator = NULL;
}

void aggregate_table_reset(struct aggregate_table *table) {
  if (table->slots) memset(table->slots, 0, table->hash_capacity * sizeof *table->slots);
  table->page_count = 0;
  table->last = NULL;
  arena_reset(&table->arena);
}

/* ---- pages ---- */

static uint32_t page_hash(uint32_t slot, int64_t number) {
  uint64_t hash = ((uint64_t)number ^ (uint64_t)slot << 40 ^ slot) * UINT64_C(0x9e3779b97f4a7c15);
  return (uint32_t)(hash >> 32);
}

/* Puts a page into the hash table, which has room. */
static void enter_page(struct aggregate_table *table, uint32_t index) {
  const struct aggregate_page *page = table->pages[index];
  uint32_t mask = table->hash_capacity - 1, at = page_hash(page->slot, page->number) & mask;
  while (table->slots[at])
    at = (at + 1) & mask;
  table->slots[at] = index + 1;
}

static bool grow_pages(struct aggregate_table *table) {
  struct mem_account *account = table->arena.account;
  uint32_t capacity = table->page_capacity ? table->page_capacity * 2 : 32;
  struct aggregate_page **pages = mem_resize(
      account, table->pages, table->page_capacity * sizeof *pages, capacity * sizeof *pages);
  if (!pages) return false;
  table->pages = pages;
  table->page_capacity = capacity;
  uint32_t *hash = mem_alloc_zero(account, capacity * 2 * sizeof *hash);
  if (!hash) return false;
  mem_free(account, table->slots, table->hash_capacity * sizeof *hash);
  table->slots = hash;
  table->hash_capacity = capacity * 2;
  for (uint32_t i = 0; i < table->page_count; i++)
    enter_page(table, i);
  return true;
}

static struct aggregate_page *find_page(struct aggregate_table *table, uint32_t slot,
                                        int64_t number) {
  uint32_t at = 0, mask = table->hash_capacity - 1;
  if (table->hash_capacity) {
    for (at = page_hash(slot, number) & mask; table->slots[at]; at = (at + 1) & mask) {
      struct aggregate_page *page = table->pages[table->slots[at] - 1];
      if (page->slot == slot && page->number == number) return page;
    }
  }
  if ((table->page_count * 2 >= table->hash_capacity ||
       table->page_count == table->page_capacity) &&
      !grow_pages(table))
    return NULL;
  const struct aggregator *aggregator = table->aggregator;
  struct aggregate_page *page = ARENA_NEW(&table->arena, struct aggregate_page);
  if (!page) return NULL;
  page->records =
      arena_alloc_zero(&table->arena, (size_t)aggregator->record_size * aggregator->page_buckets);
  if (!page->records) return NULL;
  page->slot = slot;
  page->number = number;
  table->pages[table->page_count] = page;
  enter_page(table, table->page_count++);
  return page;
}

void *aggregate_table_record(struct aggregate_table *table, uint32_t slot, int64_t bucket) {
  uint32_t buckets = table->aggregator->page_buckets;
  int64_t number = buckets == 1 ? bucket : bucket >> 4; /* PAGE_BUCKETS is 2^4 */
  struct aggregate_page *page = table->last;
  if (!page || page->slot != slot || page->number != number) {
    page = find_page(table, slot, number);
    if (!page) return NULL;
    table->last = page;
  }
  return page->records +
         (size_t)table->aggregator->record_size * ((uint64_t)bucket & (buckets - 1));
}

/* ---- slices ---- */

int64_t aggregate__first_row(const uint64_t *validity, uint32_t row, uint32_t rows, bool last) {
  if (!validity) return last ? (int64_t)row + rows - 1 : row;
  for (uint32_t done = 0; done < rows;) {
    uint32_t size = rows - done < 64 ? rows - done : 64;
    uint32_t at = last ? row + rows - done - size : row + done;
    uint64_t word = bits_load(validity, at, size) & bits_mask(size);
    if (word) return at + (last ? 63 - __builtin_clzll(word) : __builtin_ctzll(word));
    done += size;
  }
  return -1;
}

/* Present values of rows [at, at + *count) together: the column's own where nothing is missing.
 * *count is cut to what was looked at. */
static const uint64_t *dense_values(const struct column *column, const uint64_t *validity,
                                    uint32_t at, uint32_t *count, uint64_t *dense, size_t *kept) {
  bool bits = column->type.physical == PHYSICAL_BOOL;
  if (!validity && !bits) {
    *kept = *count;
    return column->u64 + at;
  }
  if (*count > DENSE) *count = DENSE;
  *kept = bits ? select_squeeze_bits(column->bits, validity, at, *count, dense)
               : select_squeeze(column->u64, validity, at, *count, dense);
  return dense;
}

static void add_integers(const struct kernel_loops *loops, struct type type, const uint64_t *values,
                         size_t count, struct state_sum_integer *state) {
  __int128 sum = (__int128)((unsigned __int128)state->high << 64 | state->low);
  if (type.physical == PHYSICAL_INT64)
    loops->sum_i64((const int64_t *)values, count, &sum);
  else
    loops->sum_u64(values, count, &sum);
  state->count += count;
  state->low = (uint64_t)sum;
  state->high = (uint64_t)((unsigned __int128)sum >> 64);
}

/* Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample
 * variances", 1979. */
static void merge_moments(struct state_moments *into, const struct state_moments *other) {
  if (other->count == 0) return;
  double a = (double)into->count, b = (double)other->count, distance = other->mean - into->mean;
  into->count += other->count;
  into->mean += distance * (b / (a + b));
  into->squares += other->squares + distance * distance * (a * b / (a + b));
}

static void add_moments(const struct kernel_loops *loops, struct type type, const uint64_t *values,
                        size_t count, struct state_moments *state) {
  double floats[DENSE];
  for (size_t at = 0; at < count; at += DENSE) {
    size_t size = count - at < DENSE ? count - at : DENSE;
    const double *numbers = (const double *)(const void *)(values + at);
    if (type.physical != PHYSICAL_FLOAT64) {
      numbers = floats;
      if (type.physical == PHYSICAL_INT64)
        loops->i64_to_f64((const int64_t *)(values + at), size, floats);
      else
        loops->u64_to_f64(values + at, size, floats);
    }
    struct float_sum sum = {0};
    loops->sum_f64(numbers, size, &sum);
    struct state_moments part = {size, float_sum_value(&sum) / (double)size, 0};
    part.squares = loops->squares_f64(numbers, size, part.mean);
    merge_moments(state, &part);
  }
}

static void apply_numbers(const struct aggregator *aggregator, const struct aggregate_call *call,
                          const struct column *column, const uint64_t *validity,
                          const struct aggregate_slice *slice) {
  uint64_t dense[DENSE + 1];
  void *state = (uint8_t *)slice->record + call->offset;
  for (uint32_t at = slice->row, end = slice->row + slice->rows; at < end;) {
    uint32_t count = end - at;
    size_t kept;
    const uint64_t *values = dense_values(column, validity, at, &count, dense, &kept);
    at += count;
    if (kept == 0) continue;
    if (call->function == AGGREGATE_STDDEV) {
      add_moments(aggregator->loops, call->argument, values, kept, state);
    } else if (call->argument.physical == PHYSICAL_FLOAT64) {
      struct state_sum_float *sum = state;
      sum->count += kept;
      aggregator->loops->sum_f64((const double *)(const void *)values, kept, &sum->sum);
    } else {
      add_integers(aggregator->loops, call->argument, values, kept, state);
    }
  }
}

/* The extreme of dense values; false when all are NaN. */
static bool extreme_of(const struct kernel_loops *loops, struct type type, bool max,
                       const uint64_t *values, size_t count, uint64_t *best) {
  if (type.physical == PHYSICAL_INT64) {
    const int64_t *numbers = (const int64_t *)values;
    *best = (uint64_t)(max ? loops->max_i64(numbers, count) : loops->min_i64(numbers, count));
    return true;
  }
  if (type.physical != PHYSICAL_FLOAT64) {
    *best = max ? loops->max_u64(values, count) : loops->min_u64(values, count);
    return true;
  }
  const double *numbers = (const double *)(const void *)values;
  double value = max ? loops->max_f64(numbers, count) : loops->min_f64(numbers, count);
  *best = aggregate_float_bits(value + 0.0); /* -0.0 becomes +0.0 */
  if (!isinf(value)) return true;
  for (size_t i = 0; i < count; i++) /* +-inf is what nothing gives, too */
    if (numbers[i] == value) return true;
  return false;
}

/* The extreme over a slice, and how many values there are. */
static uint64_t slice_extreme(const struct aggregator *aggregator, struct type type, bool max,
                              const struct column *column, const uint64_t *validity,
                              const struct aggregate_slice *slice, bool *ordered, uint64_t *best) {
  uint64_t dense[DENSE + 1], total = 0;
  *ordered = false;
  for (uint32_t at = slice->row, end = slice->row + slice->rows; at < end;) {
    uint32_t count = end - at;
    size_t kept;
    const uint64_t *values = dense_values(column, validity, at, &count, dense, &kept);
    at += count;
    total += kept;
    uint64_t value;
    if (kept == 0 || !extreme_of(aggregator->loops, type, max, values, kept, &value)) continue;
    if (!*ordered ||
        (max ? aggregate_less(type, *best, value) : aggregate_less(type, value, *best)))
      *best = value;
    *ordered = true;
  }
  return total;
}

static bool earlier(int64_t time, int64_t rank, const struct state_choice *state) {
  return time < state->time || (time == state->time && rank < state->rank);
}

/* The earliest row with this value (NaN: with any). */
static int64_t row_of(const struct column *column, const uint64_t *validity,
                      const struct aggregate_slice *slice, bool ordered, uint64_t value) {
  for (uint32_t i = 0; i < slice->rows; i++) {
    uint32_t row = slice->descending ? slice->row + slice->rows - 1 - i : slice->row + i;
    if (validity && !bit_get(validity, row)) continue;
    uint64_t bits =
        column->type.physical == PHYSICAL_BOOL ? bit_get(column->bits, row) : column->u64[row];
    if (!ordered || bits == value) return row;
    if (column->type.physical == PHYSICAL_FLOAT64 &&
        aggregate_bits_float(bits) == aggregate_bits_float(value))
      return row;
  }
  return slice->row;
}

static int choose(struct aggregate_table *table, const struct aggregate_call *call,
                  const struct aggregate_input *input, const struct aggregate_slice *slice,
                  int64_t row, struct state_choice *state, struct err *err) {
  state->time = input->keys[row];
  state->rank = slice->rank;
  if (!call->carries) return ERR_OK;
  uint8_t *record = slice->record;
  return aggregate__carry(table, input, row,
                          (uint64_t *)(void *)(record + table->aggregator->carried_offset), err);
}

static int apply_extreme(struct aggregate_table *table, const struct aggregate_call *call,
                         const struct aggregate_input *input, const struct aggregate_slice *slice,
                         struct err *err) {
  const struct column *column = &input->columns[call->column];
  const uint64_t *validity = input->validity[call->column];
  struct state_choice *state = (void *)((uint8_t *)slice->record + call->offset);
  bool max = call->function == AGGREGATE_MAX, ordered;
  uint64_t best = aggregate_float_bits(NAN);
  uint64_t count = slice_extreme(table->aggregator, call->argument, max, column, validity, slice,
                                 &ordered, &best);
  if (count == 0) return ERR_OK;
  bool first = state->count == 0 || (ordered && !state->ordered);
  bool equal = false;
  if (!first) {
    if (!ordered) {
      equal = !state->ordered;
    } else {
      first = max ? aggregate_less(call->argument, state->value, best)
                  : aggregate_less(call->argument, best, state->value);
      equal = !first && best == state->value;
    }
  }
  state->count += count;
  if (first) {
    state->value = best;
    state->ordered = ordered;
  }
  if (!call->places || !(first || equal)) return ERR_OK;
  int64_t row = row_of(column, validity, slice, ordered, best);
  if (!first && !earlier(input->keys[row], slice->rank, state)) return ERR_OK;
  return choose(table, call, input, slice, row, state, err);
}

static int apply_end(struct aggregate_table *table, const struct aggregate_call *call,
                     const struct aggregate_input *input, const struct aggregate_slice *slice,
                     struct err *err) {
  const struct column *column = &input->columns[call->column];
  const uint64_t *validity = input->validity[call->column];
  struct state_choice *state = (void *)((uint8_t *)slice->record + call->offset);
  bool last = call->function == AGGREGATE_LAST;
  int64_t row = aggregate__first_row(validity, slice->row, slice->rows, last != slice->descending);
  if (row < 0) return ERR_OK;
  bool wins = state->count == 0 || earlier(input->keys[row], slice->rank, state) != last;
  state->count++;
  if (!wins) return ERR_OK;
  struct str text = {NULL, 0};
  state->value = exec__row_bits(column, row, &text);
  if (type_is_string(column->type) && !column->dictionary) {
    struct str *copy = ARENA_NEW(&table->arena, struct str);
    if (copy) *copy = arena_copy(&table->arena, text);
    if (!copy || (!copy->data && text.size))
      return mem_refused(table->arena.account, text.size, err);
    state->value = (uint64_t)(uintptr_t)copy;
  }
  return choose(table, call, input, slice, row, state, err);
}

static void apply_spread(struct aggregate_table *table, const struct aggregate_call *call,
                         const struct aggregate_input *input, const struct aggregate_slice *slice) {
  struct state_spread *state = (void *)((uint8_t *)slice->record + call->offset);
  const struct column *column = &input->columns[call->column];
  const uint64_t *validity = input->validity[call->column];
  uint64_t least = 0, most = 0;
  bool ordered;
  state->count += slice_extreme(table->aggregator, call->argument, false, column, validity, slice,
                                &ordered, &least);
  if (!ordered) return;
  slice_extreme(table->aggregator, call->argument, true, column, validity, slice, &ordered, &most);
  if (!state->ordered || aggregate_less(call->argument, least, state->min)) state->min = least;
  if (!state->ordered || aggregate_less(call->argument, state->max, most)) state->max = most;
  state->ordered = 1;
}

/* Rows of a slice that go down in time are fed one by one from its end. */
static int apply_other(struct aggregate_table *table, const struct aggregate_call *call,
                       const struct aggregate_input *input, const struct aggregate_slice *slice,
                       struct err *err) {
  const struct aggregate_function *other = call->other;
  struct column times = {.i64 = input->keys};
  if (other->argument_count > 1) times.type = other->types[1];
  struct aggregate_vector vector = {{&input->columns[call->column], &times},
                                    input->validity[call->column]};
  void *state = (uint8_t *)slice->record + call->offset;
  if (!slice->descending)
    return exec__aggregate_feed(other, &table->arena, state, &vector, slice->row, slice->rows, err);
  int code = ERR_OK;
  for (uint32_t i = slice->rows; i-- > 0 && !code;)
    code = exec__aggregate_feed(other, &table->arena, state, &vector, slice->row + i, 1, err);
  return code;
}

int aggregate_apply(struct aggregate_table *table, const struct aggregate_call *call,
                    const struct aggregate_input *input, const struct aggregate_slice *slices,
                    uint32_t count, struct err *err) {
  const struct column *column = &input->columns[call->column];
  const uint64_t *validity = input->validity[call->column];
  int code = ERR_OK;
  for (uint32_t i = 0; i < count && !code; i++) {
    const struct aggregate_slice *slice = &slices[i];
    switch (call->function) {
    case AGGREGATE_COUNT:
      *(uint64_t *)(void *)((uint8_t *)slice->record + call->offset) +=
          validity ? (uint64_t)bits_count(validity, slice->row, slice->rows) : slice->rows;
      break;
    case AGGREGATE_SUM:
    case AGGREGATE_MEAN:
    case AGGREGATE_STDDEV:
      apply_numbers(table->aggregator, call, column, validity, slice);
      break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
      code = apply_extreme(table, call, input, slice, err);
      break;
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
      code = apply_end(table, call, input, slice, err);
      break;
    case AGGREGATE_SPREAD:
      apply_spread(table, call, input, slice);
      break;
    default:
      code = call->other ? apply_other(table, call, input, slice, err)
                         : aggregate__keep(table, call, input, slice, err);
    }
  }
  return code;
}

/* ---- merging ---- */

static void merge_choice(const struct aggregator *aggregator, const struct aggregate_call *call,
                         uint8_t *record, const uint8_t *from) {
  struct state_choice *into = (void *)(record + call->offset);
  const struct state_choice *other = (const void *)(from + call->offset);
  bool wins, last = call->function == AGGREGATE_LAST;
  if (other->count == 0) return;
  if (into->count == 0)
    wins = true;
  else if (call->function == AGGREGATE_FIRST || last)
    wins = earlier(other->time, other->rank, into) != last;
  else if (into->ordered != other->ordered)
    wins = other->ordered;
  else if (into->ordered && into->value != other->value)
    wins = call->function == AGGREGATE_MAX
               ? aggregate_less(call->argument, into->value, other->value)
               : aggregate_less(call->argument, other->value, into->value);
  else
    wins = call->places && earlier(other->time, other->rank, into);
  uint64_t count = into->count + other->count;
  if (wins) {
    *into = *other;
    if (call->carries)
      memcpy(record + aggregator->carried_offset, from + aggregator->carried_offset,
             aggregator->record_size - aggregator->carried_offset);
  }
  into->count = count;
}

static void merge_spread(const struct aggregate_call *call, struct state_spread *into,
                         const struct state_spread *other) {
  into->count += other->count;
  if (!other->ordered) return;
  if (!into->ordered || aggregate_less(call->argument, other->min, into->min))
    into->min = other->min;
  if (!into->ordered || aggregate_less(call->argument, into->max, other->max))
    into->max = other->max;
  into->ordered = 1;
}

static void merge_sum_integer(struct state_sum_integer *into,
                              const struct state_sum_integer *other) {
  unsigned __int128 sum = ((unsigned __int128)into->high << 64 | into->low) +
                          ((unsigned __int128)other->high << 64 | other->low);
  into->count += other->count;
  into->low = (uint64_t)sum;
  into->high = (uint64_t)(sum >> 64);
}

static void merge_values(struct state_values *into, const struct state_values *other) {
  if (other->count == 0) return;
  into->codes |= other->codes;
  if (into->count)
    into->last->next = other->first;
  else
    into->first = other->first;
  into->last = other->last;
  into->count += other->count;
}

int aggregate_merge(const struct aggregator *aggregator, struct arena *arena, void *record,
                    void *other, struct err *err) {
  for (uint32_t i = 0; i < aggregator->call_count; i++) {
    const struct aggregate_call *call = &aggregator->calls[i];
    void *into = (uint8_t *)record + call->offset, *from = (uint8_t *)other + call->offset;
    switch (call->function) {
    case AGGREGATE_COUNT:
      *(uint64_t *)into += *(uint64_t *)from;
      break;
    case AGGREGATE_SUM:
    case AGGREGATE_MEAN:
      if (call->argument.physical == PHYSICAL_FLOAT64) {
        struct state_sum_float *sum = into;
        const struct state_sum_float *more = from;
        sum->count += more->count;
        float_sum_merge(&sum->sum, &more->sum);
      } else {
        merge_sum_integer(into, from);
      }
      break;
    case AGGREGATE_STDDEV:
      merge_moments(into, from);
      break;
    case AGGREGATE_SPREAD:
      merge_spread(call, into, from);
      break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
      merge_choice(aggregator, call, record, other);
      break;
    default:
      if (call->other) {
        int code = exec__aggregate_merge(call->other, arena, into, from, err);
        if (code) return code;
      } else {
        merge_values(into, from);
      }
    }
  }
  return ERR_OK;
}

bool aggregate_empty(const struct aggregator *aggregator, const void *record) {
  for (uint32_t i = 0; i < aggregator->call_count; i++)
    if (*(const uint64_t *)(const void *)((const uint8_t *)record + aggregator->calls[i].offset))
      return false;
  return true;
}

/* ---- results ---- */

static int finish_exact(const struct aggregate_call *call, __int128 total, uint64_t count,
                        struct aggregate_result *result, struct err *err) {
  _Static_assert((int)AGGREGATE_TEXT_MAX >= (int)DECIMAL_BYTES_MAX, "room for any numeric");
  struct decimal sum, rows = decimal_of_u64(count);
  int code = decimal_of_i128(total, &sum);
  if (!code && call->function == AGGREGATE_MEAN) code = decimal_divide(&sum, &rows, &sum);
  if (code) return decimal_explain(code, err);
  result->text = str_of(result->bytes, decimal_store(&sum, result->bytes));
  result->bits = (uint64_t)(uintptr_t)&result->text;
  return ERR_OK;
}

static int finish_sum(const struct aggregate_call *call, const void *state,
                      struct aggregate_result *result, struct err *err) {
  bool mean = call->function == AGGREGATE_MEAN;
  if (call->argument.physical == PHYSICAL_FLOAT64) {
    const struct state_sum_float *sum = state;
    double value = float_sum_value(&sum->sum);
    result->bits = aggregate_float_bits(mean ? value / (double)sum->count : value);
    return ERR_OK;
  }
  const struct state_sum_integer *sum = state;
  __int128 total = (__int128)((unsigned __int128)sum->high << 64 | sum->low);
  if (call->exact) return finish_exact(call, total, sum->count, result, err);
  if (mean) {
    result->bits = aggregate_float_bits((double)total / (double)sum->count);
    return ERR_OK;
  }
  bool fits = call->argument.physical == PHYSICAL_INT64
                  ? total >= INT64_MIN && total <= INT64_MAX
                  : total >= 0 && total <= (__int128)UINT64_MAX;
  if (!fits) {
    err_set(err, ERR_OUT_OF_RANGE, "the sum of %llu integers does not fit 64 bits",
            (unsigned long long)sum->count);
    err_hint(err, "sum them as floats, or shorter ranges of time");
    return ERR_OUT_OF_RANGE;
  }
  result->bits = (uint64_t)total;
  return ERR_OK;
}

static int finish_spread(const struct aggregate_call *call, const struct state_spread *state,
                         struct aggregate_result *result, struct err *err) {
  if (call->argument.physical == PHYSICAL_FLOAT64) {
    result->bits = aggregate_float_bits(
        state->ordered ? aggregate_bits_float(state->max) - aggregate_bits_float(state->min) : NAN);
    return ERR_OK;
  }
  result->bits = state->max - state->min;
  if (call->argument.physical == PHYSICAL_INT64 && result->bits > INT64_MAX) {
    err_set(err, ERR_OUT_OF_RANGE, "the spread from %lld to %lld does not fit 64 bits",
            (long long)state->min, (long long)state->max);
    err_hint(err, "ask for min and max instead, or for shorter ranges of time");
    return ERR_OUT_OF_RANGE;
  }
  return ERR_OK;
}

int aggregate_finish(const struct aggregator *aggregator, const struct aggregate_call *call,
                     const void *record, struct aggregate_result *result, struct err *err) {
  const void *state = (const uint8_t *)record + call->offset;
  const struct state_choice *choice = state;
  *result = (struct aggregate_result){.present = *(const uint64_t *)state > 0};
  if (!result->present) return ERR_OK;
  switch (call->function) {
  case AGGREGATE_COUNT:
    result->bits = *(const uint64_t *)state;
    return ERR_OK;
  case AGGREGATE_SUM:
  case AGGREGATE_MEAN:
    return finish_sum(call, state, result, err);
  case AGGREGATE_SPREAD:
    return finish_spread(call, state, result, err);
  case AGGREGATE_STDDEV: {
    const struct state_moments *moments = state;
    result->present = moments->count > 1; /* of a sample */
    result->bits = aggregate_float_bits(sqrt(moments->squares / ((double)moments->count - 1)));
    return ERR_OK;
  }
  case AGGREGATE_MIN:
  case AGGREGATE_MAX:
  case AGGREGATE_FIRST:
  case AGGREGATE_LAST:
    result->bits = choice->value;
    result->time = choice->time;
    result->has_time = call->places;
    if (call->carries)
      result->carried =
          (const uint64_t *)(const void *)((const uint8_t *)record + aggregator->carried_offset);
    return ERR_OK;
  default:
    return aggregate__finish_values(aggregator, call, state, result, err);
  }
}
