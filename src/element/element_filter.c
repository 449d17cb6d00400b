/* Filters: checked against the tags' types and compiled, before any work (Q1).
 *
 * Compiling moves NOT down to the tests (negation normal form) and prepares each test: values of IN
 * go into a table, regular expressions are compiled, lists are turned into their stored form, which
 * equal lists share. */
#include "element/element_private.h"

#include "base/bytes.h"
#include "base/limits.h"

enum { CONDITIONS_MAX = 65536 };

const struct element_known *element_known_find(const struct element_known *known, size_t count,
                                               struct str name) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = str_compare(known[middle].name, name);
    if (order == 0) return &known[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

struct compiler {
  struct element_filter *filter;
  const struct element_known *known;
  size_t known_count;
  struct err *err;
};

static int bad_filter(struct compiler *compiler, const struct nilo_store_filter *source,
                      const char *what) {
  return err_set(compiler->err, ERR_INVALID_ARGUMENT, "filter on \"%.100s\": %s",
                 source->tag ? source->tag : "", what);
}

static bool is_list(enum nilo_store_type type) { return type >= NILO_STORE_STRING_LIST; }
static bool is_text(enum nilo_store_type type) {
  return type == NILO_STORE_STRING || type == NILO_STORE_BYTES;
}

/* ---- values ---- */

/* The bits that equal numbers share; false for NaN, which equals nothing. */
static bool number_bits(const struct nilo_store_value *value, uint64_t *bits) {
  *bits = value->type == NILO_STORE_BOOL ? value->boolean : value->u64;
  if (value->type != NILO_STORE_FLOAT64) return true;
  if (value->f64 == 0) *bits = 0; /* both zeros */
  return value->f64 == value->f64;
}

static int add_text(struct compiler *compiler, struct element_condition *condition,
                    struct str text) {
  struct str copy = arena_copy(compiler->filter->arena, text);
  if (!copy.data || !str_table_insert(&condition->texts, copy, NULL))
    return mem_refused(compiler->filter->account, text.size + 64, compiler->err);
  return ERR_OK;
}

static int add_number(struct compiler *compiler, struct element_condition *condition,
                      uint64_t bits) {
  if (u64_table_insert(&condition->numbers, bits, NULL)) return ERR_OK;
  return mem_refused(compiler->filter->account, 64, compiler->err);
}

/* One value of EQUALS and IN. */
static int add_value(struct compiler *compiler, struct element_condition *condition,
                     const struct nilo_store_value *value) {
  uint64_t bits;
  if (is_text(value->type)) return add_text(compiler, condition, str_of(value->data, value->size));
  if (!is_list(value->type))
    return number_bits(value, &bits) ? add_number(compiler, condition, bits) : ERR_OK;
  struct buffer form;
  buffer_init(&form, compiler->filter->account);
  int code = element_list_encode(value, &form, compiler->err);
  if (!code) code = buffer_check(&form, compiler->err);
  if (!code) code = add_text(compiler, condition, buffer_str(&form));
  buffer_deinit(&form);
  return code;
}

/* The items of HAS_ANY and HAS_ALL. */
static int add_items(struct compiler *compiler, struct element_condition *condition,
                     const struct nilo_store_value *value) {
  int code = ERR_OK;
  for (size_t i = 0; i < value->size && !code; i++)
    code =
        value->type == NILO_STORE_STRING_LIST
            ? add_text(compiler, condition, str_of(value->strings[i].data, value->strings[i].size))
            : add_number(compiler, condition, (uint64_t)value->integers[i]);
  return code;
}

static int set_end(struct compiler *compiler, const struct nilo_store_value *value, bool *has,
                   union statistics_value *number, struct str *text) {
  *has = value->type != NILO_STORE_NULL;
  if (!*has) return ERR_OK;
  if (!is_text(value->type)) {
    number->u64 = value->type == NILO_STORE_BOOL ? value->boolean : value->u64;
    return ERR_OK;
  }
  *text = arena_copy(compiler->filter->arena, str_of(value->data, value->size));
  return text->data ? ERR_OK : mem_refused(compiler->filter->account, value->size, compiler->err);
}

/* ---- tests ---- */

static int check_type(struct compiler *compiler, const struct nilo_store_filter *source,
                      enum nilo_store_type has, enum nilo_store_type given) {
  if (has == given) return ERR_OK;
  return err_set(compiler->err, ERR_TYPE_CONFLICT, "filter: tag \"%.100s\" is %s, and %s was given",
                 source->tag, element_type_name(has), element_type_name(given));
}

static bool items_are_there(const struct nilo_store_value *value) {
  for (size_t i = 0; value->type == NILO_STORE_STRING_LIST && i < value->size; i++)
    if (value->strings[i].size && !value->strings[i].data) return false;
  return true;
}

/* Counts and types of a test's values. */
static int check_values(struct compiler *compiler, const struct nilo_store_filter *source,
                        const struct element_condition *condition) {
  size_t count = source->value_count;
  bool range = source->op == NILO_STORE_RANGE, matches = source->op == NILO_STORE_MATCHES;
  bool has = source->op == NILO_STORE_HAS_ANY || source->op == NILO_STORE_HAS_ALL;
  bool in = source->op == NILO_STORE_IN || source->op == NILO_STORE_NOT_IN;
  bool none = source->op == NILO_STORE_PRESENT || source->op == NILO_STORE_ABSENT;
  if (count && !source->values) return bad_filter(compiler, source, "its values are at no place");
  if (!in && count != (none ? 0 : range ? 2u : 1u))
    return bad_filter(compiler, source,
                      none    ? "this test has no values"
                      : range ? "a range has two values"
                              : "this test has one value");
  enum nilo_store_type type = condition->tag_type;
  for (size_t i = 0; i < count; i++) {
    const struct nilo_store_value *value = &source->values[i];
    if (value->type > NILO_STORE_INT64_LIST) return bad_filter(compiler, source, "unknown type");
    if (range && value->type == NILO_STORE_NULL) continue;
    if (value->type == NILO_STORE_NULL)
      return bad_filter(compiler, source, "null is no value; test with ABSENT");
    if (value->size && !value->data) return bad_filter(compiler, source, "a value is at no place");
    if (is_list(value->type) && value->size > ELEMENT_LIST_ITEMS_MAX)
      return bad_filter(compiler, source, "a list is too long");
    if (!items_are_there(value)) return bad_filter(compiler, source, "an item is at no place");
    if (has && !is_list(value->type))
      return bad_filter(compiler, source, "has-any and has-all take a list of items");
    if (range && is_list(value->type)) return bad_filter(compiler, source, "lists have no ranges");
    if (matches && value->type != NILO_STORE_STRING)
      return bad_filter(compiler, source, "a regular expression is a string");
    if (type == NILO_STORE_NULL) type = value->type; /* of a tag that was never written */
    if (matches && (type == NILO_STORE_STRING || type == NILO_STORE_STRING_LIST)) continue;
    int code = check_type(compiler, source, type, value->type);
    if (code) return code;
  }
  if (range && count == 2 && source->values[0].type && source->values[1].type &&
      source->values[0].type != source->values[1].type)
    return bad_filter(compiler, source, "the ends of a range are of two types");
  return ERR_OK;
}

static int prepare_test(struct compiler *compiler, const struct nilo_store_filter *source,
                        struct element_condition *condition) {
  const struct nilo_store_value *values = source->values;
  int code = ERR_OK;
  switch (source->op) {
  case NILO_STORE_EQUALS:
  case NILO_STORE_NOT_EQUALS:
  case NILO_STORE_IN:
  case NILO_STORE_NOT_IN:
    if (source->op == NILO_STORE_NOT_EQUALS || source->op == NILO_STORE_NOT_IN)
      condition->negated = !condition->negated;
    condition->op = NILO_STORE_IN;
    for (size_t i = 0; i < source->value_count && !code; i++)
      code = add_value(compiler, condition, &values[i]);
    return code;
  case NILO_STORE_HAS_ANY:
  case NILO_STORE_HAS_ALL:
    return add_items(compiler, condition, &values[0]);
  case NILO_STORE_RANGE:
    condition->lower_exclusive = source->lower_exclusive;
    condition->upper_exclusive = source->upper_exclusive;
    code = set_end(compiler, &values[0], &condition->has_lower, &condition->lower,
                   &condition->lower_text);
    return code ? code
                : set_end(compiler, &values[1], &condition->has_upper, &condition->upper,
                          &condition->upper_text);
  case NILO_STORE_MATCHES:
    return element_regex_create(str_of(values[0].data, values[0].size), compiler->filter->account,
                                &condition->regex, compiler->err);
  case NILO_STORE_ABSENT:
    condition->op = NILO_STORE_PRESENT;
    condition->negated = !condition->negated;
    return ERR_OK;
  default:
    return ERR_OK;
  }
}

static struct element_condition *make_condition(struct compiler *compiler) {
  struct element_filter *filter = compiler->filter;
  struct element_condition *condition = ARENA_NEW(filter->arena, struct element_condition);
  if (!condition) return NULL;
  u64_table_init(&condition->numbers, filter->account);
  str_table_init(&condition->texts, filter->account, false, 0);
  condition->next = filter->all;
  filter->all = condition;
  return condition;
}

static int compile_test(struct compiler *compiler, const struct nilo_store_filter *source,
                        struct element_condition *condition) {
  if (!source->tag || !*source->tag)
    return err_set(compiler->err, ERR_INVALID_ARGUMENT, "filter: a test without a tag");
  const struct element_known *known =
      element_known_find(compiler->known, compiler->known_count, str_from(source->tag));
  if (known) {
    condition->id = known->id;
    condition->type = known->type;
    condition->tag_type = element_tag_type(known->type);
  }
  int code = check_values(compiler, source, condition);
  return code ? code : prepare_test(compiler, source, condition);
}

static int compile(struct compiler *compiler, const struct nilo_store_filter *source, bool negated,
                   unsigned depth, struct element_condition **out) {
  if (depth > LIMIT_NESTING_DEPTH)
    return err_set(compiler->err, ERR_LIMIT_EXCEEDED, "a filter nested deeper than %d",
                   LIMIT_NESTING_DEPTH);
  if (++compiler->filter->count > CONDITIONS_MAX)
    return err_set(compiler->err, ERR_LIMIT_EXCEEDED, "a filter of over %d conditions",
                   CONDITIONS_MAX);
  if (source->child_count && !source->children)
    return bad_filter(compiler, source, "its children are at no place");
  if (source->op == NILO_STORE_NOT) {
    if (source->child_count != 1) return bad_filter(compiler, source, "NOT has one child");
    return compile(compiler, &source->children[0], !negated, depth + 1, out);
  }
  if (source->op < NILO_STORE_AND || source->op > NILO_STORE_ABSENT)
    return bad_filter(compiler, source, "unknown operator");
  struct element_condition *condition = make_condition(compiler);
  if (!condition) return mem_refused(compiler->filter->account, sizeof *condition, compiler->err);
  *out = condition;
  condition->op = source->op;
  condition->negated = negated;
  if (source->op != NILO_STORE_AND && source->op != NILO_STORE_OR)
    return compile_test(compiler, source, condition);
  if (negated) condition->op = source->op == NILO_STORE_AND ? NILO_STORE_OR : NILO_STORE_AND;
  condition->negated = false;
  condition->children =
      ARENA_ARRAY(compiler->filter->arena, struct element_condition *, source->child_count + 1);
  if (!condition->children)
    return mem_refused(compiler->filter->account, source->child_count * sizeof(void *),
                       compiler->err);
  int code = ERR_OK;
  for (size_t i = 0; i < source->child_count && !code; i++) {
    code = compile(compiler, &source->children[i], negated, depth + 1, &condition->children[i]);
    condition->child_count += !code;
  }
  return code;
}

int element_filter_compile(struct element_filter *filter, const struct nilo_store_filter *source,
                           const struct element_known *known, size_t known_count,
                           struct mem_account *account, struct arena *arena, struct err *err) {
  *filter = (struct element_filter){.account = account, .arena = arena};
  if (!source) return ERR_OK;
  struct compiler compiler = {filter, known, known_count, err};
  return compile(&compiler, source, false, 1, &filter->root);
}

void element_filter_deinit(struct element_filter *filter) {
  for (struct element_condition *at = filter->all; at; at = at->next) {
    u64_table_deinit(&at->numbers);
    str_table_deinit(&at->texts);
    element_regex_destroy(at->regex);
  }
  filter->all = NULL;
}

/* ---- what blocks can be skipped by ---- */

static int copy_values(const struct element_condition *condition, struct arena *arena,
                       struct store_term *term, struct err *err) {
  size_t count = condition->numbers.count + condition->texts.count;
  struct store_term_value *values = ARENA_ARRAY(arena, struct store_term_value, count + 1);
  if (!values) return mem_refused(arena->account, count * sizeof *values, err);
  const struct u64_table_slot *number;
  const struct str_table_slot *text;
  size_t cursor = 0, at = 0;
  while ((number = u64_table_next(&condition->numbers, &cursor)))
    values[at++].number.u64 = number->key;
  cursor = 0;
  while ((text = str_table_next(&condition->texts, &cursor)))
    values[at++].text = str_of(text->key, text->key_size);
  term->values = values;
  term->value_count = count;
  return ERR_OK;
}

/* A test that a row has to pass as a term; false: it says nothing about blocks. */
static bool describe(const struct element_condition *condition, struct store_term *term) {
  if (condition->id == 0) return false;
  *term = (struct store_term){.column = condition->id, .type = condition->type};
  if (condition->op == NILO_STORE_PRESENT) {
    term->kind = condition->negated ? STORE_TERM_ABSENT : STORE_TERM_PRESENT;
    return true;
  }
  term->kind = STORE_TERM_PRESENT; /* every other test is of a value */
  if (condition->negated) return true;
  if (condition->op == NILO_STORE_IN) {
    term->kind = STORE_TERM_IN;
  } else if (condition->op == NILO_STORE_HAS_ANY ||
             (condition->op == NILO_STORE_HAS_ALL &&
              condition->numbers.count + condition->texts.count > 0)) {
    term->kind = STORE_TERM_ITEMS;
  } else if (condition->op == NILO_STORE_RANGE && !type_is_string(condition->type)) {
    term->kind = STORE_TERM_RANGE;
    term->has_min = condition->has_lower;
    term->has_max = condition->has_upper;
    term->min = condition->lower;
    term->max = condition->upper;
    term->min_exclusive = condition->lower_exclusive;
    term->max_exclusive = condition->upper_exclusive;
  }
  return true;
}

int element_filter_terms(const struct element_filter *filter, struct store_filter *out,
                         struct err *err) {
  *out = (struct store_filter){0};
  const struct element_condition *root = filter->root;
  if (!root || root->op == NILO_STORE_OR) return ERR_OK;
  size_t count = root->op == NILO_STORE_AND ? root->child_count : 1, kept = 0;
  struct store_term *terms = ARENA_ARRAY(filter->arena, struct store_term, count + 1);
  if (!terms) return mem_refused(filter->account, count * sizeof *terms, err);
  for (size_t i = 0; i < count; i++) {
    const struct element_condition *test = root->op == NILO_STORE_AND ? root->children[i] : root;
    if (test->op == NILO_STORE_AND || test->op == NILO_STORE_OR || !describe(test, &terms[kept]))
      continue;
    if (terms[kept].kind == STORE_TERM_IN || terms[kept].kind == STORE_TERM_ITEMS) {
      int code = copy_values(test, filter->arena, &terms[kept], err);
      if (code) return code;
    }
    kept++;
  }
  *out = (struct store_filter){terms, kept};
  return ERR_OK;
}
