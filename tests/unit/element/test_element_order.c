/* The order of answers, against a sorted list: random elements over random states of the store
 * (memory, flushed, merged, reopened), random queries. Every run prints its seed; ELEMENT_SEED and
 * ELEMENT_ROUNDS repeat and lengthen it. */
#include "element_fixture.h"

#include <math.h>

enum { SERIES = 6, TAGS = 5, ROWS_MAX = 4000 };

static const char *const tag_names[TAGS] = {"kind", "level", "size", "ratio", "ok"};

struct row {
  uint64_t series;
  int64_t key;
  uint32_t order; /* of writing */
  int data;       /* -1: none */
  int tags[TAGS]; /* -1: null */
};
struct model {
  struct row rows[ROWS_MAX];
  size_t count;
  uint32_t written;
};

static uint64_t random_state;
static uint64_t draw(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static uint64_t below(uint64_t limit) { return draw() % limit; }

static int64_t draw_key(void) {
  switch (below(12)) {
  case 0:
    return INT64_MIN + (int64_t)below(2);
  case 1:
    return INT64_MAX - (int64_t)below(2);
  case 2:
  case 3:
    return 7; /* many of one key */
  default:
    return (int64_t)below(200) - 100;
  }
}

static double ratio_of(int value) {
  return value == 0 ? NAN : value == 1 ? -0.0 : value == 2 ? 0.0 : value - 10.5;
}

static struct nilo_store_value value_of(int tag, int value) {
  static char text[16][32];
  static unsigned at;
  char *buffer = text[at++ % 16];
  if (value < 0) return (struct nilo_store_value){0};
  switch (tag) {
  case 0:
    snprintf(buffer, 32, "kind%d", value);
    return value_text(buffer);
  case 1:
    return value_i64(value - 5);
  case 2:
    return value_u64((uint64_t)value << 60);
  case 3:
    return value_f64(ratio_of(value));
  default:
    return value_bool(value & 1);
  }
}

static char data_text[64];
static struct nilo_store_bytes data_of(int value) {
  if (value < 0) return (struct nilo_store_bytes){0};
  int size = snprintf(data_text, sizeof data_text, "data-%d", value);
  return (struct nilo_store_bytes){data_text, value == 0 ? 0 : (size_t)size};
}

/* ---- writing ---- */

static void write_some(struct alone *alone, struct model *model) {
  struct nilo_store_batch *batch;
  size_t count = 1 + below(below(3) ? 20 : 400);
  assert_int_equal(nilo_store_batch_create(alone->store, &batch, NULL), 0);
  for (size_t i = 0; i < count && model->count < ROWS_MAX; i++) {
    struct row *row = &model->rows[model->count++];
    *row = (struct row){
        1 + below(SERIES), draw_key(), model->written++, below(9) ? (int)below(40) : -1, {0}};
    struct nilo_store_tag tags[TAGS];
    struct nilo_store_element element = {
        .series = row->series, .key = row->key, .data = data_of(row->data), .tags = tags};
    for (int t = 0; t < TAGS; t++) {
      row->tags[t] = below(4) ? (int)below(12) : -1;
      if (t == 4 && row->tags[t] >= 0) row->tags[t] &= 1;
      if (row->tags[t] >= 0)
        tags[element.tag_count++] =
            (struct nilo_store_tag){tag_names[t], value_of(t, row->tags[t])};
    }
    if (nilo_store_batch_add(batch, &element, &alone->error)) alone_fail(&alone->error, "add");
  }
  if (nilo_store_batch_commit(batch, NULL, &alone->error)) alone_fail(&alone->error, "commit");
  nilo_store_batch_destroy(batch);
}

static void change_state(struct alone *alone) {
  switch (below(5)) {
  case 0:
  case 1:
    alone_flush(alone);
    break;
  case 2:
    alone_merge(alone);
    break;
  case 3:
    alone_reopen(alone);
    break;
  default: {
    bool did;
    assert_int_equal(nilo_store_work(alone->store, &did, NULL), 0);
  }
  }
}

/* ---- filters: the same tree both ways ---- */

enum { NODES_MAX = 64 };
struct tree {
  struct nilo_store_filter nodes[NODES_MAX];
  struct nilo_store_value values[NODES_MAX][4];
  char texts[NODES_MAX][4][16];
  int picked[NODES_MAX][4]; /* values as the model has them */
  int tag[NODES_MAX];
  size_t count;
};

static void draw_values(struct tree *tree, size_t at, size_t count) {
  for (size_t i = 0; i < count; i++) {
    tree->picked[at][i] = (int)below(12);
    if (tree->tag[at] == 4) tree->picked[at][i] &= 1;
    tree->values[at][i] = value_of(tree->tag[at], tree->picked[at][i]);
    if (tree->tag[at] == 0) {
      snprintf(tree->texts[at][i], 16, "kind%d", tree->picked[at][i]);
      tree->values[at][i].data = tree->texts[at][i];
    }
  }
}

static void draw_test(struct tree *tree, size_t at) {
  static const enum nilo_store_operator tests[] = {
      NILO_STORE_EQUALS, NILO_STORE_NOT_EQUALS, NILO_STORE_IN,     NILO_STORE_NOT_IN,
      NILO_STORE_RANGE,  NILO_STORE_PRESENT,    NILO_STORE_ABSENT, NILO_STORE_MATCHES};
  struct nilo_store_filter *node = &tree->nodes[at];
  tree->tag[at] = (int)below(TAGS);
  node->op = tests[below(8)];
  if (node->op == NILO_STORE_MATCHES) tree->tag[at] = 0;
  node->tag = tag_names[tree->tag[at]];
  node->values = tree->values[at];
  switch (node->op) {
  case NILO_STORE_IN:
  case NILO_STORE_NOT_IN:
    node->value_count = below(4);
    break;
  case NILO_STORE_RANGE:
    node->value_count = 2;
    node->lower_exclusive = below(2);
    node->upper_exclusive = below(2);
    break;
  case NILO_STORE_PRESENT:
  case NILO_STORE_ABSENT:
    break;
  default:
    node->value_count = 1;
  }
  draw_values(tree, at, node->value_count);
  for (size_t i = 0; node->op == NILO_STORE_RANGE && i < 2; i++)
    if (below(4) == 0) {
      tree->values[at][i] = (struct nilo_store_value){0};
      tree->picked[at][i] = -1;
    }
}

/* Children stand behind one another, so a level is drawn before what is below it. */
static void draw_node(struct tree *tree, size_t at, unsigned depth) {
  struct nilo_store_filter *node = &tree->nodes[at];
  *node = (struct nilo_store_filter){0};
  if (depth == 0 || below(3) == 0 || tree->count + 3 > NODES_MAX) {
    draw_test(tree, at);
    return;
  }
  node->op = (enum nilo_store_operator)(NILO_STORE_AND + below(3));
  node->child_count = node->op == NILO_STORE_NOT ? 1 : below(4);
  size_t first = tree->count;
  node->children = &tree->nodes[first];
  tree->count += node->child_count;
  for (size_t i = 0; i < node->child_count; i++)
    draw_node(tree, first + i, depth - 1);
}

enum truth { NO, YES, UNKNOWN };

/* -1, 0, 1; 2: cannot be compared. */
static int compare(int tag, int a, int b) {
  if (tag == 0) {
    char x[16], y[16];
    snprintf(x, 16, "kind%d", a);
    snprintf(y, 16, "kind%d", b);
    int order = strcmp(x, y);
    return (order > 0) - (order < 0);
  }
  if (tag == 3) {
    double x = ratio_of(a), y = ratio_of(b);
    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
  }
  return (a > b) - (a < b);
}

static enum truth model_test(const struct tree *tree, size_t at, const struct row *row) {
  const struct nilo_store_filter *node = &tree->nodes[at];
  int tag = tree->tag[at], value = row->tags[tag];
  const int *picked = tree->picked[at];
  if (node->op == NILO_STORE_PRESENT) return value >= 0;
  if (node->op == NILO_STORE_ABSENT) return value < 0;
  if (value < 0) return UNKNOWN;
  if (node->op == NILO_STORE_RANGE) {
    bool nan = tag == 3 && isnan(ratio_of(value));
    int low = picked[0] < 0 ? 1 : compare(tag, value, picked[0]);
    int high = picked[1] < 0 ? -1 : compare(tag, value, picked[1]);
    return !nan && (low == 1 || (low == 0 && !node->lower_exclusive)) &&
           (high == -1 || (high == 0 && !node->upper_exclusive));
  }
  if (node->op == NILO_STORE_MATCHES) { /* kind1 is found in kind11 */
    char x[16], y[16];
    snprintf(x, 16, "kind%d", value);
    snprintf(y, 16, "kind%d", picked[0]);
    return strstr(x, y) != NULL;
  }
  bool in = false;
  for (size_t i = 0; i < node->value_count; i++)
    in |= compare(tag, value, picked[i]) == 0;
  return in == (node->op == NILO_STORE_EQUALS || node->op == NILO_STORE_IN);
}

/* Three-valued logic, the slow and obvious way. */
static enum truth model_filter(const struct tree *tree, size_t at, const struct row *row) {
  const struct nilo_store_filter *node = &tree->nodes[at];
  if (node->op == NILO_STORE_NOT) {
    enum truth child = model_filter(tree, (size_t)(node->children - tree->nodes), row);
    return child == UNKNOWN ? UNKNOWN : child == YES ? NO : YES;
  }
  if (node->op != NILO_STORE_AND && node->op != NILO_STORE_OR) return model_test(tree, at, row);
  enum truth ends = node->op == NILO_STORE_AND ? NO : YES, result = ends == NO ? YES : NO;
  for (size_t i = 0; i < node->child_count; i++) {
    enum truth child = model_filter(tree, (size_t)(node->children - tree->nodes) + i, row);
    if (child == ends) return ends;
    if (child == UNKNOWN) result = UNKNOWN;
  }
  return result;
}

/* ---- queries ---- */

static int by_answer(const void *a, const void *b) {
  const struct row *x = a, *y = b;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  if (x->series != y->series) return x->series < y->series ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static bool key_is_in(const struct nilo_store_query *query, int64_t key) {
  if (query->lower.kind == NILO_STORE_INCLUSIVE && key < query->lower.key) return false;
  if (query->lower.kind == NILO_STORE_EXCLUSIVE && key <= query->lower.key) return false;
  if (query->upper.kind == NILO_STORE_INCLUSIVE && key > query->upper.key) return false;
  return query->upper.kind != NILO_STORE_EXCLUSIVE || key < query->upper.key;
}

/* What the answer has to be: the slow and obvious way. */
static size_t model_ask(const struct model *model, const struct nilo_store_query *query,
                        const struct tree *tree, struct row *out) {
  bool seen[64] = {false}, wanted[SERIES + 1] = {false};
  static struct row kept[ROWS_MAX];
  size_t count = 0, taken = 0, skipped = 0;
  for (size_t i = 0; i < query->series_count; i++)
    wanted[query->series[i]] = true;
  for (size_t i = 0; i < model->count; i++) {
    const struct row *row = &model->rows[i];
    if ((query->series_count && !wanted[row->series]) || !key_is_in(query, row->key) ||
        (query->filter && model_filter(tree, 0, row) != YES))
      continue;
    kept[count++] = *row;
  }
  qsort(kept, count, sizeof *kept, by_answer);
  for (size_t i = 0; i < count; i++) {
    const struct row *row = &kept[query->descending ? count - 1 - i : i];
    if (query->distinct_data && seen[row->data + 1]) continue;
    seen[row->data + 1] = true;
    if (skipped++ < (size_t)query->offset) continue;
    if (query->limit && taken == (size_t)query->limit) break;
    out[taken++] = *row;
  }
  return taken;
}

static void check_row(const struct nilo_store_answer *answer, size_t at, const struct row *row) {
  assert_int_equal(answer->keys[at], row->key);
  assert_int_equal(answer->series[at], row->series);
  if (answer->data) {
    struct nilo_store_bytes data = data_of(row->data);
    assert_true(!data.data == !answer->data[at].data);
    assert_int_equal(answer->data[at].size, data.size);
    if (data.size) assert_memory_equal(answer->data[at].data, data.data, data.size);
  }
  for (size_t t = 0; t < answer->tag_count; t++) {
    const struct nilo_store_value *value = &answer->values[at * answer->tag_count + t];
    int tag = 0;
    while (tag < TAGS && strcmp(tag_names[tag], answer->tags[t]))
      tag++;
    struct nilo_store_value expected = value_of(tag, row->tags[tag]);
    assert_int_equal(value->type, expected.type);
    assert_int_equal(value->size, expected.size);
    if (value->type == NILO_STORE_STRING)
      assert_memory_equal(value->data, expected.data, expected.size);
    else if (value->type == NILO_STORE_BOOL)
      assert_int_equal(value->boolean, expected.boolean);
    else
      assert_int_equal(value->u64, expected.u64);
  }
}

static void ask_something(struct alone *alone, const struct model *model) {
  static struct tree tree;
  static struct row expected[ROWS_MAX];
  uint64_t series[SERIES + 2];
  const char *wanted[TAGS];
  struct nilo_store_query query = {.series = series};
  bool all = below(4) == 0;
  query.series_count = all ? 0 : 1 + below(SERIES + 1);
  for (size_t i = 0; i < query.series_count; i++)
    series[i] = 1 + below(SERIES);
  query.lower = (struct nilo_store_bound){(enum nilo_store_bound_kind)below(3), draw_key()};
  query.upper = (struct nilo_store_bound){(enum nilo_store_bound_kind)below(3), draw_key()};
  if (query.lower.key > query.upper.key) query.upper.key = query.lower.key;
  query.descending = below(2);
  query.limit = below(2) ? (int64_t)below(30) : 0;
  query.offset = below(3) ? 0 : (int64_t)below(30);
  query.batch = (uint32_t)below(70);
  query.only_tags = below(2);
  for (int t = 0; t < TAGS && query.only_tags; t++)
    if (below(2)) wanted[query.tag_count++] = tag_names[t];
  query.tags = wanted;
  query.no_data = below(4) == 0;
  query.distinct_data = !query.no_data && below(3) == 0;
  if (below(2)) {
    tree.count = 1;
    draw_node(&tree, 0, 3);
    query.filter = &tree.nodes[0];
  }
  size_t count = model_ask(model, &query, &tree, expected), at = 0;
  struct nilo_store_cursor *cursor;
  struct nilo_store_answer answer;
  int code = all ? nilo_store_scan_open(alone->store, &query, &cursor, &alone->error)
                 : nilo_store_query_open(alone->store, &query, &cursor, &alone->error);
  if (code) alone_fail(&alone->error, "query");
  do {
    if (nilo_store_query_next(cursor, &answer, &alone->error)) alone_fail(&alone->error, "next");
    assert_true(answer.rows <= (query.batch ? query.batch : 1024));
    assert_true(at + answer.rows <= count);
    for (size_t i = 0; i < answer.rows; i++)
      check_row(&answer, i, &expected[at + i]);
    at += answer.rows;
  } while (answer.rows);
  assert_int_equal(at, count);
  nilo_store_query_close(cursor);
}

static void run_sequence(uint64_t seed) {
  static struct model model;
  struct alone alone;
  model.count = 0;
  model.written = 0;
  random_state = seed;
  alone_init(&alone, seed);
  const char *indexed[] = {"kind", "level"};
  alone.options.indexed_tags = indexed;
  alone.options.indexed_tag_count = below(3);
  alone_open(&alone);
  size_t steps = 4 + below(20);
  for (size_t i = 0; i < steps; i++) {
    if (below(3)) write_some(&alone, &model);
    if (below(3) == 0) change_state(&alone);
    for (size_t q = below(4); q-- > 0;)
      ask_something(&alone, &model);
  }
  for (size_t q = 0; q < 3; q++)
    ask_something(&alone, &model);
  alone_deinit(&alone);
}

/* The floor is 10,000 sequences; a plain run takes a part of them, from a seed of its own. */
static void test_q4_answers_are_those_of_a_sorted_list(void **state) {
  (void)state;
  const char *given = getenv("ELEMENT_SEED"), *rounds = getenv("ELEMENT_ROUNDS");
  uint64_t seed = given ? strtoull(given, NULL, 0) : 20261120;
  uint64_t count = rounds ? strtoull(rounds, NULL, 0) : 300;
  for (uint64_t i = 0; i < count; i++) {
    print_message("%s", i % 1000 ? "" : "seed\n");
    if (i % 1000 == 0) print_message("seed %llu\n", (unsigned long long)(seed + i));
    random_state = seed + i;
    run_sequence(seed + i);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_q4_answers_are_those_of_a_sorted_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
