/* Files in FROM: read_csv('path', …) and read_lines('path', …).
 *
 * The file is read when the statement is bound, because its columns and their types are known only
 * then, and its rows are held in the statement's arena like those of a system table: what does not
 * fit into the query's memory is refused, and COPY or an import is what it is for. A statement's
 * tree is bound more than once (CREATE TABLE AS, views), so what was read is kept by its call. */
#include "query/sql_files.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "os/os.h"

enum { PATH_MAX_SIZE = 4096 };

static int refused(struct query *query, size_t size, struct err *err) {
  return mem_refused(&query->account, size, err);
}

/* ---- which files ---- */

static bool climbs(struct str path) {
  while (path.data)
    if (str_equal(text_split(&path, '/'), STR(".."))) return true;
  return false;
}

/* A path below the directory that statements may use. */
static int resolve_path(const struct query *query, struct str path, char *out, struct err *err) {
  const struct query_copy *copy = query->copy;
  const char *directory = copy ? copy->directory : NULL;
  if (!directory) {
    err_set(err, ERR_UNAUTHORIZED, "statements must not read or write files here");
    err_hint(err, "use COPY with STDIN and STDOUT, or have query.copy_directory set");
    return ERR_UNAUTHORIZED;
  }
  size_t size = strlen(directory);
  bool absolute = path.size && path.data[0] == '/', any = strcmp(directory, "/") == 0;
  bool below =
      path.size > size && memcmp(path.data, directory, size) == 0 && path.data[size] == '/';
  if (!any && (climbs(path) || (absolute && !below))) {
    err_set(err, ERR_UNAUTHORIZED, "file \"%.*s\" is outside of the directory of COPY",
            STR_ARG(text_cut(path, 120)));
    err_hint(err, "files are read and written below %.120s", directory);
    return ERR_UNAUTHORIZED;
  }
  bool join = !absolute && !any;
  int written = snprintf(out, PATH_MAX_SIZE, "%s%s%.*s", join ? directory : "", join ? "/" : "",
                         STR_ARG(path));
  if (!path.size || written < 0 || written >= PATH_MAX_SIZE || memchr(path.data, 0, path.size))
    return err_set(err, ERR_INVALID_ARGUMENT, "this is no path of a file");
  return ERR_OK;
}

int query__sql_file(struct query *query, struct str path, unsigned flags, struct os_file **file,
                    struct err *err) {
  char resolved[PATH_MAX_SIZE];
  int code = resolve_path(query, path, resolved, err);
  return code ? code : os_file_open(table_engine_os(query->engine), resolved, flags, file, err);
}

/* ---- options ---- */

static int bad_option(const struct sql_expr *value, int code, const char *text, struct err *err) {
  err_set(err, code, "%s", text);
  err_position(err, 0, 0, value->offset);
  return code;
}

/* "a bigint, b text", read as the column definition list that it is. */
static int read_columns(struct file_reading *self, struct str text, const struct sql_expr *value,
                        struct err *err) {
  struct arena *arena = &self->query->statement.arena;
  struct sql_text parsed = {0};
  struct err inner = {.offset = -1};
  int depth = 0;
  for (size_t i = 0; i < text.size && depth >= 0; i++)
    depth += (text.data[i] == '(') - (text.data[i] == ')');
  struct str select = arena_format(arena, "SELECT FROM f() AS f(%.*s\n)", STR_ARG(text));
  if (!select.data) return refused(self->query, text.size, err);
  int code = depth ? ERR_PARSE : sql_parse(select, arena, &parsed, &inner);
  if (code == ERR_NO_MEMORY || code == ERR_MEMORY_LIMIT) return refused(self->query, 4096, err);
  const struct sql_select *made = !code && parsed.count == 1 ? parsed.statements[0].select : NULL;
  if (!made || !made->from_count || !made->from[0]->definition_count) {
    bad_option(value, ERR_PARSE, "\"columns\" is no list of columns and types", err);
    if (inner.code) err_detail(err, "%.200s", inner.message);
    err_hint(err, "write it as columns => 'a bigint, b text'");
    return ERR_PARSE;
  }
  self->options.columns = made->from[0]->definitions;
  self->options.column_count = made->from[0]->definition_count;
  return ERR_OK;
}

static int read_delimiter(struct file_reading *self, struct str text, const struct sql_expr *value,
                          struct err *err) {
  bool tab = str_equal(text, STR("\\t"));
  if (!tab && (text.size != 1 || strchr("\n\r\"", *text.data)))
    return bad_option(value, ERR_INVALID_ARGUMENT,
                      "the delimiter must be one byte, and no quote and no line end", err);
  self->options.delimiter = tab ? '\t' : *text.data;
  return ERR_OK;
}

static int set_option(struct file_reading *self, bool csv, struct str name,
                      const struct sql_expr *expr, struct err *err) {
  static const char *const known[2][4] = {{"measurement", "precision"},
                                          {"header", "delimiter", "null", "columns"}};
  struct sql_context *context = &self->query->statement.sql_context;
  struct text_nearest nearest = text_nearest_of(name);
  struct plan_value value;
  bool found = false;
  for (int i = 0; i < 4 && known[csv][i]; i++) {
    found = found || str_equal(name, str_from(known[csv][i]));
    text_nearest_offer(&nearest, str_from(known[csv][i]));
  }
  if (!found) {
    err_set(err, ERR_INVALID_ARGUMENT, "%s has no option \"%.*s\"",
            csv ? "read_csv()" : "read_lines()", STR_ARG(text_cut(name, 60)));
    if (nearest.best.size)
      err_hint(err, "perhaps \"%.*s\" is meant", STR_ARG(nearest.best));
    else
      err_hint(err, csv ? "options are header, delimiter, null, columns"
                        : "options are measurement, precision");
    err_position(err, 0, 0, expr->offset);
    return ERR_INVALID_ARGUMENT;
  }
  bool header = str_equal(name, STR("header"));
  int code = sql_constant(context, expr, header ? TYPE_BOOL : TYPE_STRING, &value, err);
  if (code) return code;
  if (value.null) return bad_option(expr, ERR_INVALID_ARGUMENT, "an option is null", err);
  if (header)
    self->options.header = value.boolean;
  else if (str_equal(name, STR("null")))
    self->options.null = value.text;
  else if (str_equal(name, STR("measurement")))
    self->options.measurement = value.text.data ? value.text : STR("");
  else if (str_equal(name, STR("delimiter")))
    return read_delimiter(self, value.text, expr, err);
  else if (str_equal(name, STR("columns")))
    return read_columns(self, value.text, expr, err);
  else if (!time_unit_parse(value.text, &self->options.precision))
    return bad_option(expr, ERR_INVALID_ARGUMENT, "precisions are ns, us, ms and s", err);
  return ERR_OK;
}

static int read_arguments(struct file_reading *self, bool csv, struct err *err) {
  const struct sql_expr *call = self->call;
  const char *function = csv ? "read_csv" : "read_lines";
  bool plain = !call->star && !call->distinct && !call->order.count && !call->filter && !call->over;
  int code = ERR_OK;
  self->options = (struct file_options){.header = true, .delimiter = ',', .null = STR("")};
  for (uint32_t i = 0; i < call->arguments.count && !code && plain; i++) {
    const struct sql_expr *argument = call->arguments.items[i];
    struct str name = call->argument_names.count ? call->argument_names.items[i] : (struct str){0};
    struct plan_value value;
    if (name.size) {
      code = set_option(self, csv, name, argument, err);
      continue;
    }
    if (i) break;
    code = sql_constant(&self->query->statement.sql_context, argument, TYPE_STRING, &value, err);
    if (!code && !value.null) self->path = value.text;
  }
  bool more = call->arguments.count > 1 &&
              (!call->argument_names.count || !call->argument_names.items[1].size);
  if (code || (self->path.size && plain && !more)) return code;
  err_set(err, ERR_INVALID_ARGUMENT, "%s() takes the path of a file, then options by name",
          function);
  err_hint(err, csv ? "as in read_csv('a.csv', delimiter => ';')"
                    : "as in read_lines('a.lp', precision => 'ms')");
  err_position(err, 0, 0, call->offset);
  return ERR_INVALID_ARGUMENT;
}

/* ---- reading ---- */

struct file_column *files__add_column(struct file_reading *self, struct str name, struct type type,
                                      struct err *err) {
  struct query *query = self->query;
  struct arena *arena = &query->statement.arena;
  if (self->column_count == self->column_capacity) {
    uint32_t capacity = self->column_capacity ? 2 * self->column_capacity : 32;
    struct file_column *more = ARENA_ARRAY(arena, struct file_column, capacity);
    if (!more) {
      refused(query, capacity * sizeof *more, err);
      return NULL;
    }
    if (self->column_count) memcpy(more, self->columns, self->column_count * sizeof *more);
    self->columns = more;
    self->column_capacity = capacity;
  }
  struct file_column *column = &self->columns[self->column_count];
  *column = (struct file_column){.name = arena_copy(arena, name)};
  column->type.type = type;
  if (!column->name.data) {
    refused(query, name.size, err);
    return NULL;
  }
  builder_init(&column->values, type, &query->account);
  builder_init(&column->texts, TYPE_STRING, &query->account);
  self->column_count++;
  return column;
}

int files__place(const struct file_reading *self, int32_t line, int32_t column, struct err *err) {
  if (!err) return ERR_PARSE;
  struct str path = text_cut(self->path, 120);
  if (line && column)
    err_detail(err, "file \"%.*s\", line %d, column %d", STR_ARG(path), line, column);
  else if (line)
    err_detail(err, "file \"%.*s\", line %d", STR_ARG(path), line);
  else
    err_detail(err, "file \"%.*s\"", STR_ARG(path));
  err_position(err, 0, 0, -1); /* a place is one of the statement */
  return err->code;
}

static bool copy_bytes(struct arena *arena, const void **bytes, size_t size) {
  void *copy = arena_alloc(arena, size + 8);
  if (!copy) return false;
  if (size) memcpy(copy, *bytes, size);
  *bytes = copy;
  return true;
}

/* A column's rows into the arena; the builder, which would have to be freed, is. */
static int keep_column(struct file_reading *self, struct file_column *from, struct column *to,
                       struct err *err) {
  struct arena *arena = &self->query->statement.arena;
  int code = builder_check(&from->values, err);
  if (code) return code;
  *to = builder_view(&from->values);
  size_t words = bit_words(to->length) * 8, size = words;
  const void *validity = to->validity, *values = to->values, *data = to->data;
  bool good = true;
  if (type_is_string(to->type)) {
    static const int32_t none[1];
    size = (size_t)(to->length + 1) * sizeof(int32_t);
    if (!to->length || !values) values = none;
    size_t bytes = to->length ? (size_t)to->offsets[to->length] : 0;
    good = copy_bytes(arena, &data, bytes);
  } else if (to->type.physical != PHYSICAL_BOOL) {
    size = (size_t)to->length * type_width(to->type);
  }
  good = good && copy_bytes(arena, &values, size);
  if (validity) good = good && copy_bytes(arena, &validity, words);
  if (!good) return refused(self->query, size, err);
  to->validity = validity;
  to->values = values;
  to->data = data;
  builder_deinit(&from->values);
  builder_init(&from->values, from->type.type, &self->query->account);
  return ERR_OK;
}

static int keep(struct file_reading *self, struct sql_relation *relation, struct err *err) {
  struct arena *arena = &self->query->statement.arena;
  uint32_t count = self->column_count;
  struct sql_relation_column *columns = ARENA_ARRAY(arena, struct sql_relation_column, count + 1);
  struct column *values = ARENA_ARRAY(arena, struct column, count + 1);
  if (!columns || !values) return refused(self->query, count * sizeof *values, err);
  for (uint32_t i = 0; i < count; i++) {
    struct file_column *column = &self->columns[i];
    builder_pad(&column->values, self->rows);
    int code = keep_column(self, column, &values[i], err);
    if (code) return code;
    columns[i] = (struct sql_relation_column){
        .name = column->name, .type = column->type.type, .source = SQL_SOURCE_FIELD};
  }
  relation->columns = columns;
  relation->column_count = count;
  relation->rows = (struct batch){self->rows, count, values};
  return ERR_OK;
}

/* Memory that is refused is the file's size, and there is another way for it. */
static int too_large(const struct file_reading *self, int code, struct err *err) {
  if (code != ERR_MEMORY_LIMIT || !err) return code;
  err_wrap(err, "file \"%.*s\" does not fit into the memory of a query",
           STR_ARG(text_cut(self->path, 120)));
  err_hint(err, "raise query.memory_max, or make a table of it with COPY … FROM or nilo import");
  return code;
}

static int read_file(struct file_reading *self, bool csv, struct sql_relation *relation,
                     struct err *err) {
  int code = query__sql_file(self->query, self->path, OS_READ, &self->file, err);
  if (!code) code = csv ? files__csv(self, err) : files__lines(self, err);
  if (!code) code = keep(self, relation, err);
  for (uint32_t i = 0; i < self->column_count; i++) {
    builder_deinit(&self->columns[i].values);
    builder_deinit(&self->columns[i].texts);
  }
  os_file_close(self->file);
  return too_large(self, code, err);
}

int query__sql_read(void *owner, const struct sql_expr *call, const struct sql_relation **relation,
                    struct err *err) {
  struct query *query = owner;
  struct statement *s = &query->statement;
  struct str name = call->name.count == 1 ? call->name.parts[0] : (struct str){0};
  bool csv = str_equal(name, STR("read_csv"));
  *relation = NULL;
  if (!csv && !str_equal(name, STR("read_lines"))) return ERR_OK;
  for (const struct sql_read *read = s->reads; read; read = read->next)
    if (read->call == call) {
      *relation = read->relation;
      return ERR_OK;
    }
  struct file_reading self = {.query = query, .call = call};
  struct sql_read *read = ARENA_NEW(&s->arena, struct sql_read);
  struct sql_relation *made = ARENA_NEW(&s->arena, struct sql_relation);
  if (!read || !made) return refused(query, sizeof *made, err);
  *made = (struct sql_relation){.kind = SQL_RELATION_ROWS, .name = name};
  int code = read_arguments(&self, csv, err);
  if (!code) code = read_file(&self, csv, made, err);
  if (code) return code;
  *read = (struct sql_read){s->reads, call, made};
  s->reads = read;
  *relation = made;
  return ERR_OK;
}
