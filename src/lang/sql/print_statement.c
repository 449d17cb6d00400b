/* Statements as text that parses back to the same tree. */
#include "base/buffer.h"
#include "base/text.h"
#include "lang/sql/sql.h"
#include "lang/sql/syntax.h"

static void print_if(bool on, const char *text, struct buffer *out) {
  if (on) buffer_append_text(out, text);
}

static void print_name_list(const struct sql_names *names, struct buffer *out) {
  if (!names->count) return;
  buffer_append_text(out, " (");
  sql__print_names(names, out);
  buffer_append_byte(out, ')');
}

static void print_where(const struct sql_expr *where, struct buffer *out) {
  if (!where) return;
  buffer_append_text(out, " WHERE ");
  sql_print_expr(where, out);
}

static void print_returning(const struct sql_statement *statement, struct buffer *out) {
  if (!statement->returning_count) return;
  buffer_append_text(out, " RETURNING ");
  sql__print_items(statement->returning, statement->returning_count, out);
}

static void print_target(const char *words, const struct sql_statement *statement,
                         struct buffer *out) {
  buffer_append_text(out, words);
  sql__print_dotted(&statement->target, out);
  if (!statement->alias.size) return;
  buffer_append_text(out, " AS ");
  sql_print_name(statement->alias, out);
}

/* ---- options ---- */

static void print_value(const struct sql_expr *value, struct buffer *out) {
  if (value->kind == SQL_ROW) { /* as names in parentheses, or one of them */
    buffer_append_byte(out, '(');
    sql__print_expr_list(&value->arguments, out);
    buffer_append_byte(out, ')');
  } else {
    sql_print_expr(value, out);
  }
}

static void print_option_list(const struct sql_options *options, struct buffer *out) {
  for (uint32_t i = 0; i < options->count; i++) {
    if (i) buffer_append_text(out, ", ");
    sql_print_name(options->items[i].name, out);
    if (!options->items[i].value) continue;
    buffer_append_byte(out, ' ');
    print_value(options->items[i].value, out);
  }
}

static void print_options(const char *before, const struct sql_options *options,
                          struct buffer *out) {
  if (!options->count) return;
  buffer_append_text(out, before);
  buffer_append_byte(out, '(');
  print_option_list(options, out);
  buffer_append_byte(out, ')');
}

/* ---- INSERT, UPDATE, DELETE ---- */

static void print_assignments(const struct sql_statement *statement, struct buffer *out) {
  for (uint32_t i = 0; i < statement->assignment_count; i++) {
    const struct sql_assignment *assignment = &statement->assignments[i];
    if (i) buffer_append_text(out, ", ");
    bool several = assignment->columns.count > 1;
    print_if(several, "(", out);
    sql__print_names(&assignment->columns, out);
    buffer_append_text(out, several ? ") = " : " = ");
    sql_print_expr(assignment->value, out);
  }
}

static void print_insert(const struct sql_statement *statement, struct buffer *out) {
  print_target("INSERT INTO ", statement, out);
  print_name_list(&statement->names, out);
  if (statement->default_values) {
    buffer_append_text(out, " DEFAULT VALUES");
  } else {
    buffer_append_byte(out, ' ');
    sql_print_select(statement->select, out);
  }
  if (statement->conflict != SQL_CONFLICT_NONE) {
    buffer_append_text(out, " ON CONFLICT");
    print_name_list(&statement->conflict_columns, out);
    if (statement->conflict == SQL_CONFLICT_NOTHING) {
      buffer_append_text(out, " DO NOTHING");
    } else {
      buffer_append_text(out, " DO UPDATE SET ");
      print_assignments(statement, out);
      print_where(statement->conflict_where, out);
    }
  }
  print_returning(statement, out);
}

static void print_update(const struct sql_statement *statement, struct buffer *out) {
  print_target("UPDATE ", statement, out);
  buffer_append_text(out, " SET ");
  print_assignments(statement, out);
  print_if(statement->from_count > 0, " FROM ", out);
  sql__print_froms(statement->from, statement->from_count, out);
  print_where(statement->where, out);
  print_returning(statement, out);
}

static void print_delete(const struct sql_statement *statement, struct buffer *out) {
  print_target("DELETE FROM ", statement, out);
  print_if(statement->from_count > 0, " USING ", out);
  sql__print_froms(statement->from, statement->from_count, out);
  print_where(statement->where, out);
  print_returning(statement, out);
}

/* ---- CREATE ---- */

static void print_role(enum sql_column_role role, struct buffer *out) {
  static const char *const words[] = {"", " TAG", " FIELD", " TIME KEY"};
  buffer_append_text(out, words[role]);
}

static void print_column_options(const struct sql_options *options, struct buffer *out) {
  static const struct {
    const char *name, *words;
  } known[] = {{"codec", " CODEC "},
               {"decimals", " DECIMALS "},
               {"error", " ERROR "},
               {"relative_error", " RELATIVE ERROR "},
               {"exact", " EXACT"}};
  for (uint32_t i = 0; i < options->count; i++)
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
      if (str_equal(options->items[i].name, str_from(known[k].name))) {
        buffer_append_text(out, known[k].words);
        if (options->items[i].value) sql_print_expr(options->items[i].value, out);
      }
}

static void print_definition(const struct sql_column_definition *column, struct buffer *out) {
  sql_print_name(column->name, out);
  buffer_append_byte(out, ' ');
  sql__print_type(column->type, out);
  print_role(column->role, out);
  print_column_options(&column->options, out);
  print_if(column->not_null, " NOT NULL", out);
  print_if(column->primary_key, " PRIMARY KEY", out);
  print_if(column->unique, " UNIQUE", out);
  if (column->default_value) {
    buffer_append_text(out, " DEFAULT (");
    sql_print_expr(column->default_value, out);
    buffer_append_byte(out, ')');
  }
  if (column->check) {
    buffer_append_text(out, " CHECK (");
    sql_print_expr(column->check, out);
    buffer_append_byte(out, ')');
  }
}

static void print_elements(const struct sql_statement *statement, struct buffer *out) {
  const char *glue = "";
  buffer_append_text(out, " (");
  for (uint32_t i = 0; i < statement->column_count; i++, glue = ", ") {
    buffer_append_text(out, glue);
    print_definition(&statement->columns[i], out);
  }
  if (statement->primary_key.count) {
    buffer_printf(out, "%sPRIMARY KEY", glue);
    print_name_list(&statement->primary_key, out);
    glue = ", ";
  }
  for (uint32_t i = 0; i < statement->unique_key_count; i++, glue = ", ") {
    buffer_printf(out, "%sUNIQUE", glue);
    print_name_list(&statement->unique_keys[i], out);
  }
  for (uint32_t i = 0; i < statement->checks.count; i++, glue = ", ") {
    buffer_printf(out, "%sCHECK (", glue);
    sql_print_expr(statement->checks.items[i], out);
    buffer_append_byte(out, ')');
  }
  buffer_append_byte(out, ')');
}

static void print_create(const struct sql_statement *statement, const char *object,
                         struct buffer *out) {
  buffer_append_text(out, "CREATE ");
  print_if(statement->or_replace, "OR REPLACE ", out);
  print_if(statement->temporary, "TEMPORARY ", out);
  buffer_append_text(out, object);
  print_if(statement->if_not_exists, " IF NOT EXISTS", out);
  print_target(" ", statement, out);
}

static void print_create_table(const struct sql_statement *statement, struct buffer *out) {
  print_create(statement, "TABLE", out);
  if (!statement->select) {
    print_elements(statement, out);
    print_options(" WITH ", &statement->options, out);
    return;
  }
  print_name_list(&statement->names, out);
  print_options(" WITH ", &statement->options, out);
  buffer_append_text(out, " AS ");
  sql_print_select(statement->select, out);
  print_if(statement->with_no_data, " WITH NO DATA", out);
}

/* ---- ALTER, DROP, COMMENT ---- */

static const char *object_text(enum sql_object object) {
  static const char *const words[] = {"DATABASE", "SCHEMA", "TABLE", "VIEW", "COLUMN"};
  return words[object];
}

static void print_alter_column(const struct sql_alteration *alteration, struct buffer *out) {
  buffer_append_text(out, "ALTER COLUMN ");
  sql_print_name(alteration->name, out);
  switch (alteration->kind) {
  case SQL_ALTER_COLUMN_SET:
    print_options(" SET ", &alteration->options, out);
    break;
  case SQL_ALTER_COLUMN_RESET:
    print_options(" RESET ", &alteration->options, out);
    break;
  case SQL_ALTER_COLUMN_TYPE:
    buffer_append_text(out, " TYPE ");
    sql__print_type(alteration->column->type, out);
    break;
  case SQL_ALTER_COLUMN_NOT_NULL:
    buffer_append_text(out, alteration->on ? " SET NOT NULL" : " DROP NOT NULL");
    break;
  default:
    buffer_append_text(out, alteration->value ? " SET DEFAULT " : " DROP DEFAULT");
    if (alteration->value) sql_print_expr(alteration->value, out);
  }
}

static void print_alteration(const struct sql_alteration *alteration, struct buffer *out) {
  switch (alteration->kind) {
  case SQL_ALTER_ADD_COLUMN:
    buffer_append_text(out, "ADD COLUMN ");
    print_if(alteration->if_not_exists, "IF NOT EXISTS ", out);
    print_definition(alteration->column, out);
    break;
  case SQL_ALTER_DROP_COLUMN:
    buffer_append_text(out, "DROP COLUMN ");
    print_if(alteration->if_exists, "IF EXISTS ", out);
    sql_print_name(alteration->name, out);
    break;
  case SQL_ALTER_RENAME_COLUMN:
    buffer_append_text(out, "RENAME COLUMN ");
    sql_print_name(alteration->name, out);
    buffer_append_text(out, " TO ");
    sql_print_name(alteration->new_name, out);
    break;
  case SQL_ALTER_RENAME:
    buffer_append_text(out, "RENAME TO ");
    sql_print_name(alteration->new_name, out);
    break;
  case SQL_ALTER_SET_SCHEMA:
    buffer_append_text(out, "SET SCHEMA ");
    sql_print_name(alteration->new_name, out);
    break;
  case SQL_ALTER_SET:
    print_options("SET ", &alteration->options, out);
    break;
  case SQL_ALTER_RESET:
    print_options("RESET ", &alteration->options, out);
    break;
  default:
    print_alter_column(alteration, out);
  }
}

static void print_alter(const struct sql_statement *statement, struct buffer *out) {
  buffer_printf(out, "ALTER %s ", object_text(statement->object));
  print_if(statement->if_exists, "IF EXISTS ", out);
  sql__print_dotted(&statement->target, out);
  for (uint32_t i = 0; i < statement->alteration_count; i++) {
    buffer_append_text(out, i ? ", " : " ");
    print_alteration(&statement->alterations[i], out);
  }
}

static void print_targets(const struct sql_statement *statement, struct buffer *out) {
  if (statement->kind == SQL_STATEMENT_DROP)
    buffer_printf(out, "DROP %s ", object_text(statement->object));
  else
    buffer_append_text(out, "TRUNCATE ");
  print_if(statement->if_exists, "IF EXISTS ", out);
  for (uint32_t i = 0; i < statement->target_count; i++) {
    print_if(i > 0, ", ", out);
    sql__print_dotted(&statement->targets[i], out);
  }
  print_if(statement->cascade, " CASCADE", out);
}

static void print_comment(const struct sql_statement *statement, struct buffer *out) {
  buffer_printf(out, "COMMENT ON %s ", object_text(statement->object));
  sql__print_dotted(&statement->target, out);
  buffer_append_text(out, " IS ");
  sql_print_expr(statement->values.items[0], out);
}

static void print_copy(const struct sql_statement *statement, struct buffer *out) {
  buffer_append_text(out, "COPY ");
  if (statement->select) {
    buffer_append_byte(out, '(');
    sql_print_select(statement->select, out);
    buffer_append_byte(out, ')');
  } else {
    sql__print_dotted(&statement->target, out);
    print_name_list(&statement->names, out);
  }
  buffer_append_text(out, statement->copy_to ? " TO " : " FROM ");
  if (statement->copy_file)
    sql_print_expr(statement->copy_file, out);
  else
    buffer_append_text(out, statement->copy_to ? "STDOUT" : "STDIN");
  print_options(" WITH ", &statement->options, out);
  print_where(statement->where, out);
}

/* ---- settings, prepared statements, transactions ---- */

/* A setting's name, of one part or of several with points. */
static void print_setting(struct str name, struct buffer *out) {
  struct str rest = name;
  bool first = true;
  while (rest.data) {
    struct str part = text_split(&rest, '.');
    print_if(!first, ".", out);
    sql_print_name(part, out);
    first = false;
  }
}

static void print_modes(const struct sql_options *options, struct buffer *out) {
  for (uint32_t i = 0; i < options->count; i++) {
    struct str name = options->items[i].name, value = options->items[i].value->text;
    bool on = str_equal(value, STR("on"));
    buffer_append_text(out, i ? ", " : " ");
    if (str_equal(name, STR("transaction_isolation")))
      buffer_printf(out, "ISOLATION LEVEL %.*s", STR_ARG(value));
    else if (str_equal(name, STR("transaction_read_only")))
      buffer_append_text(out, on ? "READ ONLY" : "READ WRITE");
    else
      buffer_append_text(out, on ? "DEFERRABLE" : "NOT DEFERRABLE");
  }
}

/* A setting's value: a literal, or INTERVAL '…' fields, where a cast may not stand. */
static void print_set_value(const struct sql_expr *value, struct buffer *out) {
  if (value->kind != SQL_CAST) {
    sql_print_expr(value, out);
    return;
  }
  buffer_append_text(out, "INTERVAL ");
  sql_print_expr(value->arguments.items[0], out);
  if (value->type->fields.size) buffer_printf(out, " %.*s", STR_ARG(value->type->fields));
}

static void print_set(const struct sql_statement *statement, struct buffer *out) {
  buffer_append_text(out, statement->local ? "SET LOCAL " : "SET ");
  if (statement->options.count) {
    buffer_append_text(out, "TRANSACTION");
    print_modes(&statement->options, out);
    return;
  }
  print_setting(statement->names.items[0], out);
  buffer_append_text(out, " TO ");
  if (!statement->values.count) buffer_append_text(out, "DEFAULT");
  for (uint32_t i = 0; i < statement->values.count; i++) {
    print_if(i > 0, ", ", out);
    print_set_value(statement->values.items[i], out);
  }
}

static void print_show(const struct sql_statement *statement, struct buffer *out) {
  struct str name = statement->names.items[0];
  if (str_equal(name, STR("create"))) {
    buffer_printf(out, "SHOW CREATE %s ", object_text(statement->object));
    sql__print_dotted(&statement->target, out);
    return;
  }
  buffer_append_text(out, statement->kind == SQL_STATEMENT_RESET ? "RESET " : "SHOW ");
  if (str_equal(name, STR("all")))
    buffer_append_text(out, "ALL");
  else
    print_setting(name, out);
  if (!statement->target.count) return;
  buffer_append_text(out, " FROM ");
  sql__print_dotted(&statement->target, out);
}

static void print_prepare(const struct sql_statement *statement, struct buffer *out) {
  buffer_append_text(out, "PREPARE ");
  sql_print_name(statement->names.items[0], out);
  for (uint32_t i = 0; i < statement->type_count; i++) {
    buffer_append_text(out, i ? ", " : " (");
    sql__print_type(&statement->types[i], out);
  }
  buffer_append_text(out, statement->type_count ? ") AS " : " AS ");
  sql_print(statement->inner, out);
}

static void print_execute(const struct sql_statement *statement, struct buffer *out) {
  buffer_append_text(out, "EXECUTE ");
  sql_print_name(statement->names.items[0], out);
  if (!statement->values.count) return;
  buffer_append_text(out, " (");
  sql__print_expr_list(&statement->values, out);
  buffer_append_byte(out, ')');
}

static void print_named(const char *words, const struct sql_statement *statement,
                        struct buffer *out) {
  buffer_append_text(out, words);
  if (statement->names.count)
    sql_print_name(statement->names.items[0], out);
  else
    buffer_append_text(out, "ALL");
}

static void print_session(const struct sql_statement *statement, struct buffer *out) {
  switch (statement->kind) {
  case SQL_STATEMENT_SHOW:
  case SQL_STATEMENT_RESET:
    print_show(statement, out);
    break;
  case SQL_STATEMENT_SET:
    print_set(statement, out);
    break;
  case SQL_STATEMENT_PREPARE:
    print_prepare(statement, out);
    break;
  case SQL_STATEMENT_EXECUTE:
    print_execute(statement, out);
    break;
  case SQL_STATEMENT_DEALLOCATE:
    print_named("DEALLOCATE ", statement, out);
    break;
  case SQL_STATEMENT_USE:
    print_named("USE ", statement, out);
    break;
  case SQL_STATEMENT_EXPLAIN:
    print_options("EXPLAIN ", &statement->options, out);
    buffer_append_text(out, statement->options.count ? " " : "EXPLAIN ");
    sql_print(statement->inner, out);
    break;
  case SQL_STATEMENT_BEGIN:
    buffer_append_text(out, "BEGIN");
    print_modes(&statement->options, out);
    break;
  case SQL_STATEMENT_COMMIT:
    buffer_append_text(out, "COMMIT");
    break;
  case SQL_STATEMENT_ROLLBACK:
    buffer_append_text(out, "ROLLBACK");
    break;
  default:
    buffer_append_text(out, "DISCARD ");
    buffer_append_str(out, statement->names.items[0]);
  }
}

void sql_print(const struct sql_statement *statement, struct buffer *out) {
  sql__print_with(statement->with, statement->with_count, statement->recursive, out);
  switch (statement->kind) {
  case SQL_STATEMENT_SELECT:
    sql_print_select(statement->select, out);
    break;
  case SQL_STATEMENT_INSERT:
    print_insert(statement, out);
    break;
  case SQL_STATEMENT_UPDATE:
    print_update(statement, out);
    break;
  case SQL_STATEMENT_DELETE:
    print_delete(statement, out);
    break;
  case SQL_STATEMENT_CREATE_DATABASE:
    print_create(statement, "DATABASE", out);
    print_options(" WITH ", &statement->options, out);
    break;
  case SQL_STATEMENT_CREATE_SCHEMA:
    print_create(statement, "SCHEMA", out);
    print_options(" WITH ", &statement->options, out);
    break;
  case SQL_STATEMENT_CREATE_TABLE:
    print_create_table(statement, out);
    break;
  case SQL_STATEMENT_CREATE_VIEW:
    print_create(statement, "VIEW", out);
    print_name_list(&statement->names, out);
    buffer_append_text(out, " AS ");
    sql_print_select(statement->select, out);
    break;
  case SQL_STATEMENT_ALTER:
    print_alter(statement, out);
    break;
  case SQL_STATEMENT_DROP:
  case SQL_STATEMENT_TRUNCATE:
    print_targets(statement, out);
    break;
  case SQL_STATEMENT_COPY:
    print_copy(statement, out);
    break;
  case SQL_STATEMENT_COMMENT:
    print_comment(statement, out);
    break;
  default:
    print_session(statement, out);
  }
}
