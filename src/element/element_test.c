/* Filters: evaluated over the columns of a chunk, a byte per row.
 *
 * A test fills in its rows in one loop per type; AND and OR join their children's bytes. A null
 * passes no test but ABSENT, negated or not. */
#include "base/bytes.h"
#include "element/element_private.h"

enum { GOING_ROWS = 64 /* matched against a regular expression between two questions */ };

struct tester {
  const struct element_filter *filter;
  const struct column *columns;
  uint32_t rows;
  struct arena *scratch;
  struct err *err;
};

/* ---- one value ---- */

static bool text_in_range(const struct element_condition *test, struct str text) {
  if (test->has_lower) {
    int order = str_compare(text, test->lower_text);
    if (order < 0 || (order == 0 && test->lower_exclusive)) return false;
  }
  if (!test->has_upper) return true;
  int order = str_compare(text, test->upper_text);
  return order < 0 || (order == 0 && !test->upper_exclusive);
}

#define IN_RANGE(value, field)                                                                     \
  ((!test->has_lower ||                                                                            \
    (test->lower_exclusive ? (value) > test->lower.field : (value) >= test->lower.field)) &&       \
   (!test->has_upper ||                                                                            \
    (test->upper_exclusive ? (value) < test->upper.field : (value) <= test->upper.field)))

static bool number_in_range(const struct element_condition *test, const struct column *column,
                            uint32_t row) {
  switch (test->tag_type) {
  case NILO_STORE_INT64:
    return IN_RANGE(column->i64[row], i64);
  case NILO_STORE_FLOAT64: /* an open range has no NaN either */
    return column->f64[row] == column->f64[row] && IN_RANGE(column->f64[row], f64);
  case NILO_STORE_BOOL:
    return IN_RANGE((uint64_t)bit_get(column->bits, row), u64);
  default:
    return IN_RANGE(column->u64[row], u64);
  }
}

static bool number_is_in(const struct element_condition *test, const struct column *column,
                         uint32_t row) {
  uint64_t bits;
  if (test->tag_type == NILO_STORE_BOOL)
    bits = bit_get(column->bits, row);
  else if (test->tag_type == NILO_STORE_FLOAT64 && column->f64[row] == 0)
    bits = 0; /* both zeros */
  else
    bits = column->u64[row]; /* a NaN's bits are in no table */
  return u64_table_find(&test->numbers, bits) != NULL;
}

/* ---- lists ---- */

/* Items of a stored list that are in the test's table. HAS_ALL: distinct ones are counted by
 * marking the table's entries with the row. */
static int has_items(const struct element_condition *test, struct str bytes, uint64_t mark,
                     bool *holds, struct err *err) {
  uint32_t items;
  int code = element_list_check(test->tag_type, bytes, &items, err);
  if (code) return code;
  bool strings = test->tag_type == NILO_STORE_STRING_LIST;
  size_t wanted = test->numbers.count + test->texts.count, found = 0;
  struct reader reader = reader_of(bytes.data, bytes.size);
  for (uint32_t i = 0; i < items; i++) {
    uint64_t *entry = strings ? str_table_find(&test->texts, reader_sized(&reader))
                              : u64_table_find(&test->numbers, reader_u64(&reader));
    if (!entry || *entry == mark) continue;
    *entry = mark;
    found++;
  }
  *holds = test->op == NILO_STORE_HAS_ANY ? found > 0 : found == wanted;
  return ERR_OK;
}

static int item_matches(const struct element_condition *test, struct str bytes, bool *holds,
                        struct err *err) {
  uint32_t items;
  int code = element_list_check(test->tag_type, bytes, &items, err);
  struct reader reader = reader_of(bytes.data, bytes.size);
  *holds = false;
  for (uint32_t i = 0; i < items && !code && !*holds; i++)
    code = element_regex_match(test->regex, reader_sized(&reader), holds, err);
  return code;
}

static int test_text(const struct element_condition *test, struct str text, uint64_t mark,
                     bool *holds, struct err *err) {
  switch (test->op) {
  case NILO_STORE_IN:
    *holds = str_table_find(&test->texts, text) != NULL;
    return ERR_OK;
  case NILO_STORE_RANGE:
    *holds = text_in_range(test, text);
    return ERR_OK;
  case NILO_STORE_MATCHES:
    return test->tag_type == NILO_STORE_STRING_LIST
               ? item_matches(test, text, holds, err)
               : element_regex_match(test->regex, text, holds, err);
  default:
    return has_items(test, text, mark, holds, err);
  }
}

/* ---- one test over all rows ---- */

static int run_test(const struct tester *tester, const struct element_condition *test,
                    uint8_t *passes) {
  if (test->id == 0) { /* never written: null everywhere */
    memset(passes, test->op == NILO_STORE_PRESENT && test->negated, tester->rows);
    return ERR_OK;
  }
  const struct column *column = &tester->columns[test->column];
  if (test->op == NILO_STORE_PRESENT) {
    for (uint32_t row = 0; row < tester->rows; row++)
      passes[row] = column_is_valid(column, row) != test->negated;
    return ERR_OK;
  }
  bool text = type_is_string(test->type), range = test->op == NILO_STORE_RANGE;
  for (uint32_t row = 0; row < tester->rows; row++) {
    passes[row] = 0;
    if (!column_is_valid(column, row)) continue;
    if (test->regex && row % GOING_ROWS == 0) {
      int code = tester->filter->going(tester->filter->context, tester->err);
      if (code) return code;
    }
    bool holds;
    if (text) {
      int code = test_text(test, column_str(column, row), (uint64_t)row + 1, &holds, tester->err);
      if (code) return code;
    } else {
      holds = range ? number_in_range(test, column, row) : number_is_in(test, column, row);
    }
    passes[row] = holds != test->negated;
  }
  return ERR_OK;
}

/* Entries that HAS_ALL marked belong to rows of this chunk: forget them before the next one. */
static void forget_marks(const struct element_condition *test) {
  for (size_t i = 0; test->numbers.slots && i < test->numbers.capacity; i++)
    test->numbers.slots[i].value = 0;
  if (test->numbers.has_zero) *u64_table_find(&test->numbers, 0) = 0;
  for (size_t i = 0; test->texts.slots && i < test->texts.capacity; i++)
    test->texts.slots[i].value = 0;
}

static int run(const struct tester *tester, const struct element_condition *condition,
               uint8_t *passes) {
  bool and = condition->op == NILO_STORE_AND;
  if (!and&&condition->op != NILO_STORE_OR) {
    if (condition->op == NILO_STORE_HAS_ANY || condition->op == NILO_STORE_HAS_ALL)
      forget_marks(condition);
    return run_test(tester, condition, passes);
  }
  memset(passes, and, tester->rows);
  uint8_t *child = arena_alloc(tester->scratch, tester->rows);
  if (!child) return mem_refused(tester->scratch->account, tester->rows, tester->err);
  for (size_t i = 0; i < condition->child_count; i++) {
    int code = run(tester, condition->children[i], child);
    if (code) return code;
    for (uint32_t row = 0; row < tester->rows; row++)
      passes[row] = and? passes[row] & child[row] : passes[row] | child[row];
  }
  return ERR_OK;
}

int element_filter_test(const struct element_filter *filter, const struct column *columns,
                        uint32_t rows, struct arena *scratch, uint8_t *passes, struct err *err) {
  struct tester tester = {filter, columns, rows, scratch, err};
  if (!filter->root) {
    memset(passes, 1, rows);
    return ERR_OK;
  }
  return run(&tester, filter->root, passes);
}
