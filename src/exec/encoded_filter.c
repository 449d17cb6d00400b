/* Filters on images: compiling comparisons to ranges of the column's own values, running them piece
 * by piece. The statistics of a block are asked first: they may say that all rows are in a range,
 * or that none is. */
#include "exec/encoded_filter.h"

#include <math.h>
#include <string.h>

#include "base/err.h"
#include "codec/codec_kernels.h"
#include "columnar/bits.h"
#include "exec/source.h"

enum { DEPTH_MAX = 12 /* of nodes: each level takes 2 KiB of stack */ };

/* ---- ranges of values ---- */

/* Values in the order of unsigned numbers, and back. */
static uint64_t ordered(struct type type, uint64_t bits) {
  return type.physical == PHYSICAL_INT64 ? bits ^ UINT64_C(1) << 63 : bits;
}

static double number_of(struct type type, uint64_t key) {
  uint64_t bits = ordered(type, key);
  return type.physical == PHYSICAL_INT64 ? (double)(int64_t)bits : (double)bits;
}

/* How many of a type's integers, from the least on, are below `value` (up to it: `with`) when they
 * are made doubles, which keeps their order; 2^64 for all. */
static unsigned __int128 count_below(struct type type, double value, bool with) {
  unsigned __int128 low = 0, high = (unsigned __int128)1 << 64;
  while (low < high) {
    unsigned __int128 middle = low + (high - low) / 2;
    double number = number_of(type, (uint64_t)middle);
    if (with ? number <= value : number < value)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Integers by their place in the order: [low, high). */
static void set_places(struct encoded_node *node, struct type type, unsigned __int128 low,
                       unsigned __int128 high) {
  node->none = low >= high;
  if (node->none) return;
  node->low = ordered(type, (uint64_t)low);
  node->high = ordered(type, (uint64_t)(high - 1));
}

static const unsigned __int128 all_places = (unsigned __int128)1 << 64;

/* column op value, by what lies below the value and up to it. */
static void set_compared(struct encoded_node *node, struct type type, enum plan_function op,
                         unsigned __int128 below, unsigned __int128 with) {
  bool down = op == FUNCTION_LESS || op == FUNCTION_LESS_EQUAL;
  bool up = op == FUNCTION_GREATER || op == FUNCTION_GREATER_EQUAL;
  set_places(node, type,
             down                     ? 0
             : op == FUNCTION_GREATER ? with
                                      : below,
             up                    ? all_places
             : op == FUNCTION_LESS ? below
                                   : with);
}

static uint64_t float_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}

static void set_floats(struct encoded_node *node, enum plan_function op, double value) {
  double low = -INFINITY, high = INFINITY;
  node->none = isnan(value);
  if (op == FUNCTION_EQUAL) low = high = value;
  if (op == FUNCTION_GREATER_EQUAL) low = value;
  if (op == FUNCTION_LESS_EQUAL) high = value;
  if (op == FUNCTION_GREATER) {
    low = nextafter(value, INFINITY);
    node->none |= isinf(value) && value > 0;
  }
  if (op == FUNCTION_LESS) {
    high = nextafter(value, -INFINITY);
    node->none |= isinf(value) && value < 0;
  }
  node->low = float_bits(low);
  node->high = float_bits(high);
}

/* A literal integer as a place among the type's; below the first: 0, above the last: 2^64. */
static void set_integers(struct encoded_node *node, struct type type, enum plan_function op,
                         const struct plan_value *value) {
  __int128 number =
      value->type.physical == PHYSICAL_INT64 ? (__int128)value->i64 : (__int128)value->u64;
  __int128 least = type.physical == PHYSICAL_INT64 ? (__int128)INT64_MIN : 0;
  __int128 place = number - least;
  unsigned __int128 below = place < 0                               ? 0
                            : (unsigned __int128)place > all_places ? all_places
                                                                    : (unsigned __int128)place;
  bool inside = place >= 0 && (unsigned __int128)place < all_places;
  set_compared(node, type, op, below, inside ? below + 1 : below);
}

/* ---- compiling ---- */

struct compiling {
  const struct source *source;
  struct arena *arena;
  bool *columns;
  bool refused; /* by the arena */
  const struct expr *texts[ENCODED_PROGRAMS_MAX];
  uint32_t text_count;
};

static struct encoded_node *new_node(struct compiling *of, enum encoded_kind kind) {
  struct encoded_node *node = ARENA_NEW(of->arena, struct encoded_node);
  if (node)
    node->kind = kind;
  else
    of->refused = true;
  return node;
}

/* Whether the column is one that the store may have images of. */
static bool is_stored(const struct compiling *of, const struct expr *expr) {
  return expr->kind == EXPR_COLUMN && of->source->store_index[expr->column] >= 0;
}

static bool is_integer(struct type type) {
  return type.physical == PHYSICAL_INT64 || type.physical == PHYSICAL_UINT64;
}

/* The same comparison with its sides exchanged. */
static enum plan_function exchanged(enum plan_function op) {
  switch (op) {
  case FUNCTION_LESS:
    return FUNCTION_GREATER;
  case FUNCTION_LESS_EQUAL:
    return FUNCTION_GREATER_EQUAL;
  case FUNCTION_GREATER:
    return FUNCTION_LESS;
  case FUNCTION_GREATER_EQUAL:
    return FUNCTION_LESS_EQUAL;
  case FUNCTION_LESS_SQL:
    return FUNCTION_GREATER_SQL;
  case FUNCTION_LESS_EQUAL_SQL:
    return FUNCTION_GREATER_EQUAL_SQL;
  case FUNCTION_GREATER_SQL:
    return FUNCTION_LESS_SQL;
  case FUNCTION_GREATER_EQUAL_SQL:
    return FUNCTION_LESS_EQUAL_SQL;
  default:
    return op;
  }
}

/* What SQL's comparison of floats is among the plain ones, for a literal that is no NaN: NaN is
 * above all other values, so what is above is all that is not below. */
static enum plan_function plain_of(enum plan_function op, bool *negated) {
  *negated = true;
  switch (op) {
  case FUNCTION_NOT_EQUAL:
  case FUNCTION_NOT_EQUAL_SQL:
    return FUNCTION_EQUAL;
  case FUNCTION_GREATER_SQL:
    return FUNCTION_LESS_EQUAL;
  case FUNCTION_GREATER_EQUAL_SQL:
    return FUNCTION_LESS;
  case FUNCTION_EQUAL_SQL:
  case FUNCTION_LESS_SQL:
  case FUNCTION_LESS_EQUAL_SQL:
    op = (enum plan_function)(FUNCTION_EQUAL + (op - FUNCTION_EQUAL_SQL));
    break;
  default:
    break;
  }
  *negated = false;
  return op;
}

/* column op literal; NULL: not so. */
static struct encoded_node *compare(struct compiling *of, enum plan_function asked,
                                    const struct expr *column, const struct plan_value *value) {
  bool negated, sql = asked >= FUNCTION_EQUAL_SQL && asked <= FUNCTION_GREATER_EQUAL_SQL;
  enum plan_function op = plain_of(asked, &negated);
  if (sql && (value->type.physical != PHYSICAL_FLOAT64 || isnan(value->f64))) return NULL;
  bool cast = column->kind == EXPR_CALL && column->function == FUNCTION_CAST &&
              column->type.physical == PHYSICAL_FLOAT64;
  if (cast) column = column->arguments[0];
  if (!is_stored(of, column) || value->null) return NULL;
  struct type type = of->source->scan->schema.columns[column->column].type;
  bool text = type.physical == PHYSICAL_STRING, real = type.physical == PHYSICAL_FLOAT64;
  bool real_value = value->type.physical == PHYSICAL_FLOAT64;
  bool known = text   ? op == FUNCTION_EQUAL && !cast && type_is_string(value->type)
               : cast ? is_integer(type) && real_value
               : real ? real_value
               : type.physical == PHYSICAL_BOOL
                   ? op == FUNCTION_EQUAL && value->type.physical == PHYSICAL_BOOL
                   : is_integer(type) && is_integer(value->type);
  if (!known) return NULL;
  struct encoded_node *node = new_node(of, text ? ENCODED_TEXT : ENCODED_RANGE);
  if (!node) return NULL;
  node->column = column->column;
  node->negated = negated;
  of->columns[column->column] = true;
  if (text) {
    node->text = value->text;
  } else if (cast && isnan(value->f64)) {
    node->none = true;
  } else if (cast) {
    set_compared(node, type, op, count_below(type, value->f64, false),
                 count_below(type, value->f64, true));
  } else if (real) {
    set_floats(node, op, value->f64);
  } else if (type.physical == PHYSICAL_BOOL) {
    node->low = node->high = value->boolean;
  } else {
    set_integers(node, type, op, value);
  }
  return node;
}

static const struct encoded_node *compile(struct compiling *of, const struct expr *expr,
                                          unsigned depth);

static const struct encoded_node *compile_pair(struct compiling *of, enum encoded_kind kind,
                                               const struct expr *a, const struct expr *b,
                                               unsigned depth) {
  struct encoded_node *node = new_node(of, kind);
  if (!node) return NULL;
  node->a = compile(of, a, depth + 1);
  node->b = node->a ? compile(of, b, depth + 1) : NULL;
  return node->b ? node : NULL;
}

/* The one stored column of strings that a condition is about, which is null where that is; else
 * UINT32_MAX. */
static uint32_t text_column(const struct compiling *of, const struct expr *expr, unsigned depth) {
  if (expr->kind != EXPR_CALL || depth > DEPTH_MAX) return UINT32_MAX;
  enum plan_function op = expr->function;
  if (op == FUNCTION_NOT) return text_column(of, expr->arguments[0], depth + 1);
  bool known = (op >= FUNCTION_EQUAL && op <= FUNCTION_GREATER_EQUAL) || op == FUNCTION_MATCH ||
               op == FUNCTION_LIKE || op == FUNCTION_ILIKE;
  uint32_t column = UINT32_MAX;
  for (uint32_t i = 0; known && i < expr->argument_count; i++) {
    const struct expr *argument = expr->arguments[i];
    if (argument->kind == EXPR_LITERAL && !argument->literal.null) continue;
    known = column == UINT32_MAX && is_stored(of, argument) &&
            of->source->scan->schema.columns[argument->column].type.physical == PHYSICAL_STRING;
    if (known) column = argument->column;
  }
  return known ? column : UINT32_MAX;
}

/* Any condition on one column of strings. */
static const struct encoded_node *compile_texts(struct compiling *of, const struct expr *expr) {
  uint32_t column = text_column(of, expr, 0);
  if (column == UINT32_MAX || of->text_count == ENCODED_PROGRAMS_MAX) return NULL;
  struct encoded_node *node = new_node(of, ENCODED_TEXTS);
  if (!node) return NULL;
  node->column = column;
  node->program = of->text_count;
  of->columns[column] = true;
  of->texts[of->text_count++] = expr;
  return node;
}

/* A boolean column that is to be `value`. */
static const struct encoded_node *compile_boolean(struct compiling *of, const struct expr *column,
                                                  bool value) {
  struct plan_value literal = {.type = TYPE_BOOL, .boolean = value};
  bool is_column = is_stored(of, column) && column->type.physical == PHYSICAL_BOOL;
  return is_column ? compare(of, FUNCTION_EQUAL, column, &literal) : NULL;
}

/* A comparison with a literal on either side. */
static const struct encoded_node *compile_comparison(struct compiling *of,
                                                     const struct expr *expr) {
  const struct expr *a = expr->arguments[0], *b = expr->arguments[1];
  enum plan_function op = expr->function;
  if (a->kind == EXPR_LITERAL) {
    const struct expr *swap = a;
    a = b;
    b = swap;
    op = exchanged(op);
  }
  const struct encoded_node *node =
      b->kind == EXPR_LITERAL ? compare(of, op, a, &b->literal) : NULL;
  return node ? node : compile_texts(of, expr);
}

static const struct encoded_node *compile(struct compiling *of, const struct expr *expr,
                                          unsigned depth) {
  if (depth > DEPTH_MAX) return NULL;
  if (expr->kind == EXPR_COLUMN) return compile_boolean(of, expr, true);
  if (expr->kind != EXPR_CALL) return NULL;
  const struct expr *a = expr->arguments[0];
  const struct encoded_node *node;
  switch (expr->function) {
  case FUNCTION_AND:
  case FUNCTION_OR:
    return compile_pair(of, expr->function == FUNCTION_AND ? ENCODED_AND : ENCODED_OR, a,
                        expr->arguments[1], depth);
  case FUNCTION_NOT:
    node = compile_boolean(of, a, false);
    return node ? node : compile_texts(of, expr);
  case FUNCTION_MATCH:
  case FUNCTION_LIKE:
  case FUNCTION_ILIKE:
    return compile_texts(of, expr);
  case FUNCTION_EQUAL:
  case FUNCTION_NOT_EQUAL:
  case FUNCTION_LESS:
  case FUNCTION_LESS_EQUAL:
  case FUNCTION_GREATER:
  case FUNCTION_GREATER_EQUAL:
  case FUNCTION_EQUAL_SQL:
  case FUNCTION_NOT_EQUAL_SQL:
  case FUNCTION_LESS_SQL:
  case FUNCTION_LESS_EQUAL_SQL:
  case FUNCTION_GREATER_SQL:
  case FUNCTION_GREATER_EQUAL_SQL:
    return compile_comparison(of, expr);
  default:
    return NULL;
  }
}

/* The conditions of a filter: those that are computed on images, and those that are not. */
struct conditions {
  const struct encoded_node *node;
  const struct expr *rest;
};

static int join_rest(struct compiling *of, const struct expr *expr, const struct expr **rest,
                     struct err *err) {
  if (!*rest) {
    *rest = expr;
    return ERR_OK;
  }
  const struct expr *both[2] = {*rest, expr};
  *rest = expr_call(of->arena, FUNCTION_AND, both, 2, err);
  return *rest ? ERR_OK : err ? err->code : ERR_NO_MEMORY;
}

static int split(struct compiling *of, const struct expr *expr, struct conditions *into,
                 struct err *err) {
  const struct encoded_node *node = compile(of, expr, 0);
  if (of->refused) return exec__refused(of->source->exec, sizeof *node, err);
  if (node && into->node) {
    struct encoded_node *both = new_node(of, ENCODED_AND);
    if (!both) return exec__refused(of->source->exec, sizeof *node, err);
    both->a = into->node;
    both->b = node;
    node = both;
  }
  if (node) {
    into->node = node;
    return ERR_OK;
  }
  if (expr->kind != EXPR_CALL || expr->function != FUNCTION_AND)
    return join_rest(of, expr, &into->rest, err);
  int code = split(of, expr->arguments[0], into, err);
  return code ? code : split(of, expr->arguments[1], into, err);
}

int exec__encoded_filter_compile(const struct source *source, const struct encoded_filter **out,
                                 struct err *err) {
  struct arena *arena = &source->exec->memory;
  uint32_t count = source->scan->schema.count + 1;
  struct encoded_filter *filter = ARENA_NEW(arena, struct encoded_filter);
  bool *columns = ARENA_ARRAY(arena, bool, count), *rest_columns = ARENA_ARRAY(arena, bool, count);
  struct compiling of = {.source = source, .arena = arena, .columns = columns};
  struct conditions conditions = {NULL, NULL};
  *out = NULL;
  if (!filter || !columns || !rest_columns) return exec__refused(source->exec, count, err);
  int code = split(&of, source->filter, &conditions, err);
  if (code || !conditions.node) return code;
  filter->node = conditions.node;
  filter->columns = columns;
  filter->rest_columns = rest_columns;
  for (; filter->program_count < of.text_count && !code; filter->program_count++)
    code = exec__program_compile(arena, of.texts[filter->program_count],
                                 &filter->programs[filter->program_count], err);
  if (code) return code;
  if (conditions.rest) {
    code = exec__program_compile(arena, conditions.rest, &filter->rest, err);
    exec__expr_columns(conditions.rest, rest_columns);
  }
  if (!code) *out = filter;
  return code;
}

/* ---- running ---- */

/* One piece of a chunk. */
struct piece {
  const struct store_image *of;
  const uint64_t *among; /* by row of the piece; NULL: all */
  uint64_t *selected;    /* likewise */
  uint64_t among_bits[LIMIT_BLOCK_ROWS / 64], selected_bits[LIMIT_BLOCK_ROWS / 64];
};

enum verdict { VERDICT_NONE, VERDICT_ALL, VERDICT_OPEN };

static bool is_less(struct type type, uint64_t a, uint64_t b) {
  double x, y;
  memcpy(&x, &a, 8);
  memcpy(&y, &b, 8);
  if (type.physical == PHYSICAL_FLOAT64) return x < y;
  return ordered(type, a) < ordered(type, b);
}

/* What the block's statistics say of a range. */
static enum verdict judge(const struct encoded_node *node, const struct store_image *image) {
  const struct column_statistics *of = &image->statistics;
  struct type type = image->image.type;
  if (image->absent || (node->none && !node->negated)) return VERDICT_NONE;
  if (node->none) return VERDICT_OPEN;
  if (node->kind != ENCODED_RANGE || !(of->flags & STATISTICS_RANGE)) return VERDICT_OPEN;
  bool whole = !of->nan_count && !image->image.has_nulls;
  if (is_less(type, of->max.u64, node->low) || is_less(type, node->high, of->min.u64))
    return !node->negated ? VERDICT_NONE : whole ? VERDICT_ALL : VERDICT_OPEN;
  bool all = !is_less(type, of->min.u64, node->low) && !is_less(type, node->high, of->max.u64);
  if (!all || !whole) return VERDICT_OPEN;
  return node->negated ? VERDICT_NONE : VERDICT_ALL;
}

/* Computes a condition on strings, all of them together. */
struct choosing {
  struct reader *reader;
  const struct encoded_node *node;
};
static int choose(void *context, const struct column *texts, uint64_t *chosen, struct err *err) {
  const struct choosing *of = context;
  struct column passed;
  of->reader->text_columns[of->node->column] = *texts;
  int code = exec__program_run_list(of->reader->texts[of->node->program], of->reader->text_columns,
                                    texts->length, NULL, &passed, err);
  if (code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT) return code;
  if (code) return ERR_CORRUPTION; /* perhaps of no row that counts: the rows will tell */
  for (size_t w = 0; w < bit_words(texts->length); w++)
    chosen[w] = passed.bits[w] & (passed.validity ? passed.validity[w] : ~UINT64_C(0));
  return ERR_OK;
}

/* The rows of a piece that a leaf selects, before it is negated. */
static int select_plain(struct reader *reader, const struct encoded_node *node,
                        const struct piece *piece, struct err *err) {
  const struct store_image *of = piece->of;
  union statistics_value low = {.u64 = node->low}, high = {.u64 = node->high};
  struct choosing choosing = {reader, node};
  switch (node->kind) {
  case ENCODED_TEXT:
    return codec_select_equal(&of->image, of->from, of->rows, node->text, &reader->scratch,
                              piece->selected, err);
  case ENCODED_TEXTS:
    return codec_select_texts(&of->image, of->from, of->rows, choose, &choosing, &reader->scratch,
                              piece->selected, err);
  default:
    if (node->none) {
      memset(piece->selected, 0, bit_words(of->rows) * 8);
      return ERR_OK;
    }
    return codec_select_range(&of->image, of->from, of->rows, low, high, piece->among,
                              piece->selected, err);
  }
}

static int select_piece(struct reader *reader, const struct encoded_node *node, struct piece *piece,
                        struct err *err) {
  const struct store_image *of = piece->of;
  enum verdict verdict = judge(node, of);
  if (verdict != VERDICT_OPEN) {
    reader->values_by_statistics += of->rows;
    memset(piece->selected, 0, bit_words(of->rows) * 8);
    if (verdict == VERDICT_ALL) bits_fill(piece->selected, 0, of->rows, true);
    return ERR_OK;
  }
  reader->values_encoded += of->rows;
  int code = select_plain(reader, node, piece, err);
  if (code || !node->negated) return code;
  uint64_t valid[LIMIT_BLOCK_ROWS / 64];
  size_t words = bit_words(of->rows);
  codec_validity(&of->image, of->from, of->rows, valid);
  for (size_t w = 0; w < words; w++) {
    uint64_t among = piece->among ? piece->among[w] : ~UINT64_C(0);
    piece->selected[w] = valid[w] & ~piece->selected[w] & among;
  }
  piece->selected[words - 1] &= bits_mask((of->rows - 1) % 64 + 1);
  return ERR_OK;
}

/* A leaf: piece after piece. `among`: rows that are asked about; NULL: all. */
static int run_leaf(struct reader *reader, const struct encoded_node *node, const uint64_t *among,
                    uint64_t *selected, struct err *err) {
  const struct store_image *images;
  uint32_t count;
  struct piece piece;
  int code = exec__reader_images(reader, node->column, &images, &count, err);
  for (uint32_t i = 0; i < count && !code; i++) {
    bool aligned = images[i].row % 64 == 0;
    piece.of = &images[i];
    piece.selected = aligned ? selected + images[i].row / 64 : piece.selected_bits;
    piece.among = among && aligned ? among + images[i].row / 64 : NULL;
    if (among && !aligned) {
      bits_copy(piece.among_bits, 0, among, images[i].row, images[i].rows);
      piece.among = piece.among_bits;
    }
    code = select_piece(reader, node, &piece, err);
    if (!code && !aligned)
      bits_copy(selected, images[i].row, piece.selected_bits, 0, images[i].rows);
  }
  return code;
}

static int run_node(struct reader *reader, const struct encoded_node *node, const uint64_t *among,
                    uint64_t *selected, struct err *err) {
  if (node->kind != ENCODED_AND && node->kind != ENCODED_OR)
    return run_leaf(reader, node, among, selected, err);
  uint64_t left[LIMIT_BLOCK_ROWS / 64], open[LIMIT_BLOCK_ROWS / 64];
  size_t words = bit_words(reader->chunk.rows);
  bool and = node->kind == ENCODED_AND;
  int code = run_node(reader, node->a, among, left, err);
  if (code) return code;
  uint64_t any = 0; /* rows that the other side decides on */
  for (size_t w = 0; w < words; w++) {
    open[w] = (and? left[w] : ~left[w]) & (among ? among[w] : ~UINT64_C(0));
    any |= open[w];
  }
  if (any) code = run_node(reader, node->b, open, selected, err);
  for (size_t w = 0; w < words && !code; w++) {
    uint64_t right = any ? selected[w] & open[w] : 0;
    selected[w] = and? right : left[w] | right;
  }
  return code;
}

int exec__encoded_filter_run(struct reader *reader, const struct encoded_filter *filter,
                             uint64_t *selected, bool *done, struct err *err) {
  const struct plan_schema *schema = &reader->source->scan->schema;
  *done = false;
  for (uint32_t i = 0; i < schema->count; i++) {
    const struct store_image *images;
    uint32_t count;
    if (!filter->columns[i]) continue;
    int code = exec__reader_images(reader, i, &images, &count, err);
    if (code || count == 0) return code;
  }
  *done = true;
  arena_reset(&reader->scratch);
  return run_node(reader, filter->node, NULL, selected, err);
}
