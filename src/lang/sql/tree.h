/* The syntax tree of SQL: what the grammar makes of a text, before any name is looked up.
 *
 * Everything lies in the parser's arena, borrows nothing else and never changes once parsed. Names
 * are folded (unquoted ones are lower case already); texts of literals are without quotes and
 * escapes. Lists are arrays with a count. `offset` is the byte in the text where a thing begins:
 * what errors point at. */
#ifndef NILO_LANG_SQL_TREE_H
#define NILO_LANG_SQL_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct sql_expr;
struct sql_select;
struct sql_statement;

/* A name of one to four parts: catalog.schema.table.column. */
struct sql_name {
  struct str parts[4];
  uint32_t count;
  uint32_t offset;
};
struct sql_names {
  struct str *items;
  uint32_t count;
};
struct sql_exprs {
  struct sql_expr **items;
  uint32_t count;
};

/* A type as it is written: numeric(10,2), timestamp(3) with time zone, text[], interval day. */
struct sql_type_name {
  /* In lower case and one word: "double precision" is "double", "character varying" "varchar"; of
   * pg_catalog without it, of another schema with it and a point. */
  struct str name;
  bool with_zone;       /* time and timestamp WITH TIME ZONE */
  int32_t modifiers[2]; /* (n), (p, s) */
  uint32_t modifier_count;
  struct str fields;   /* of an interval: "day", "year to month", …; empty: all */
  uint32_t dimensions; /* of an array; 0: none */
  uint32_t offset;
};

enum sql_order_nulls { SQL_NULLS_DEFAULT, SQL_NULLS_FIRST, SQL_NULLS_LAST };
struct sql_order {
  struct sql_expr *expr;
  bool descending;
  enum sql_order_nulls nulls;
};
struct sql_orders {
  struct sql_order *items;
  uint32_t count;
};

/* ---- expressions ---- */
enum sql_expr_kind {
  SQL_COLUMN, /* name */
  SQL_STAR,   /* *, or name.* (name.count 0: plain) */
  SQL_NULL,
  SQL_BOOLEAN,   /* boolean */
  SQL_NUMBER,    /* text: digits, with a point or an exponent or without; "-" before it when the
                  * literal was negated */
  SQL_STRING,    /* text; of no type yet */
  SQL_PARAMETER, /* number, from 1 */
  SQL_DEFAULT,   /* in INSERT and UPDATE */
  /* An operator by its symbol in text: "+", "||", "->>", "~*", "like", "not ilike", "similar to" …;
   * one argument: prefix. LIKE's third argument: ESCAPE. */
  SQL_OPERATOR,
  SQL_AND, /* two or more arguments, as SQL_OR */
  SQL_OR,
  SQL_NOT,
  /* x IS [NOT] NULL, TRUE, FALSE, UNKNOWN: text "null", "true", "false", "unknown"; IS [NOT]
   * DISTINCT FROM: "distinct", two arguments. negated. */
  SQL_IS,
  SQL_BETWEEN,    /* three arguments; negated, symmetric */
  SQL_IN,         /* the first argument in the others, or in select; negated */
  SQL_EXISTS,     /* select */
  SQL_SCALAR,     /* select: its one value */
  SQL_QUANTIFIED, /* argument, text: operator, all or any, over select or the second argument */
  SQL_CASE,       /* [operand,] when, then, …, else: arguments in pairs; has_operand, has_else */
  SQL_CAST,       /* one argument, type */
  SQL_COLLATE,    /* one argument, name */
  SQL_ROW,        /* (a, b, …), ROW(a, b) */
  SQL_ARRAY,      /* ARRAY[…], or of select */
  SQL_SUBSCRIPT,  /* array, index; or array, from, to with `slice` (a missing bound is NULL) */
  SQL_FIELD,      /* (row).text */
  /* A call, also of what SQL spells its own way: EXTRACT(f FROM t) is extract('f', t), x AT TIME
   * ZONE z is timezone(z, x), CURRENT_DATE is current_date(), SUBSTRING(a FROM b FOR c) is
   * substring(a, b, c), POSITION(a IN b) is position(b, a), OVERLAY is overlay, TRIM(BOTH a FROM b)
   * is btrim(b, a), COALESCE, NULLIF, GREATEST, LEAST by their names. */
  SQL_CALL,
};
struct sql_window;
struct sql_expr {
  enum sql_expr_kind kind;
  uint32_t offset;
  uint32_t depth; /* of the tree below and with it */
  struct sql_name name;
  struct str text;
  bool boolean;
  bool negated, symmetric, slice, all, has_operand, has_else;
  uint32_t number;
  struct sql_exprs arguments;
  struct sql_select *select;
  struct sql_type_name *type;
  /* SQL_CALL */
  struct sql_names argument_names; /* of name => value; empty strs for plain ones; count 0: none */
  bool star;                       /* count(*) */
  bool distinct;
  bool variadic;
  bool within_group; /* order is WITHIN GROUP's */
  bool ignore_nulls;
  struct sql_orders order;
  struct sql_expr *filter; /* FILTER (WHERE …) */
  struct sql_window *over; /* NULL: no window function */
};

enum sql_frame_unit { SQL_FRAME_ROWS, SQL_FRAME_RANGE, SQL_FRAME_GROUPS };
enum sql_frame_bound {
  SQL_BOUND_UNBOUNDED_PRECEDING,
  SQL_BOUND_PRECEDING,
  SQL_BOUND_CURRENT,
  SQL_BOUND_FOLLOWING,
  SQL_BOUND_UNBOUNDED_FOLLOWING,
};
enum sql_frame_exclude {
  SQL_EXCLUDE_NOTHING,
  SQL_EXCLUDE_CURRENT,
  SQL_EXCLUDE_GROUP,
  SQL_EXCLUDE_TIES,
};
/* OVER w, OVER (w PARTITION BY … ORDER BY … frame), WINDOW name AS (…). */
struct sql_window {
  struct str name; /* WINDOW's own name; empty inside OVER (…) */
  struct str base; /* the one it refers to; empty: none */
  bool plain;      /* OVER w, which takes w's frame, too */
  struct sql_exprs partition;
  struct sql_orders order;
  bool has_frame;
  enum sql_frame_unit unit;
  enum sql_frame_bound start, end;
  struct sql_expr *start_offset, *end_offset;
  enum sql_frame_exclude exclude;
  uint32_t offset;
};

/* ---- FROM ---- */
enum sql_from_kind { SQL_FROM_TABLE, SQL_FROM_SELECT, SQL_FROM_FUNCTION, SQL_FROM_JOIN };
enum sql_join_kind {
  SQL_JOIN_INNER,
  SQL_JOIN_LEFT,
  SQL_JOIN_RIGHT,
  SQL_JOIN_FULL,
  SQL_JOIN_CROSS,
};
struct sql_column_definition;
struct sql_from {
  enum sql_from_kind kind;
  uint32_t offset;
  uint32_t depth;   /* of joins, selects and expressions below and with it */
  struct str alias; /* empty: none */
  struct sql_names column_aliases;
  bool lateral;
  struct sql_name table; /* SQL_FROM_TABLE */
  /* FOR SYSTEM_TIME AS OF expr, or AS OF COMMIT expr; NULL: now */
  struct sql_expr *as_of;
  bool as_of_commit;
  struct sql_select *select;
  /* SQL_FROM_FUNCTION: a SQL_CALL, or several (ROWS FROM) */
  struct sql_exprs functions;
  bool with_ordinality;
  struct sql_column_definition *definitions; /* AS t(a int, b text) */
  uint32_t definition_count;
  /* SQL_FROM_JOIN */
  enum sql_join_kind join;
  bool natural;
  bool asof;                  /* ASOF [LEFT] JOIN … ON equalities AND one inequality of times */
  struct sql_expr *tolerance; /* TOLERANCE interval; NULL: any distance */
  struct sql_from *left, *right;
  struct sql_expr *on;
  struct sql_names using;
};

/* ---- SELECT ---- */
struct sql_item {
  struct sql_expr *expr;
  struct str alias; /* empty: none */
};
enum sql_grouping_kind {
  SQL_GROUP_EXPR,   /* expr */
  SQL_GROUP_ROLLUP, /* exprs: each may be a SQL_ROW */
  SQL_GROUP_CUBE,
  SQL_GROUP_SETS,  /* sets, nested */
  SQL_GROUP_EMPTY, /* () */
};
struct sql_grouping {
  enum sql_grouping_kind kind;
  struct sql_expr *expr;
  struct sql_exprs exprs;
  struct sql_grouping *sets;
  uint32_t set_count;
};
/* WITH name (columns) AS [NOT] MATERIALIZED (…) */
struct sql_with {
  struct str name;
  struct sql_names columns;
  struct sql_statement *statement; /* a SELECT, or INSERT, UPDATE, DELETE … RETURNING */
  uint32_t offset;
};
enum sql_select_kind { SQL_SELECT_PLAIN, SQL_SELECT_SET, SQL_SELECT_VALUES };
enum sql_set_kind { SQL_UNION, SQL_INTERSECT, SQL_EXCEPT };
struct sql_select {
  enum sql_select_kind kind;
  uint32_t offset;
  uint32_t depth; /* of selects and expressions below and with it */
  bool recursive;
  struct sql_with *with;
  uint32_t with_count;
  /* SQL_SELECT_PLAIN */
  bool distinct;
  struct sql_exprs distinct_on; /* with `distinct`; empty: plain DISTINCT */
  struct sql_item *items;       /* may be none */
  uint32_t item_count;
  struct sql_from **from; /* separated by commas */
  uint32_t from_count;
  struct sql_expr *where;
  struct sql_grouping *group;
  uint32_t group_count;
  bool has_group; /* GROUP BY () too */
  bool group_all; /* GROUP BY ALL: all items without aggregates */
  struct sql_expr *having;
  struct sql_window *windows;
  uint32_t window_count;
  /* LATEST ON time PARTITION BY exprs: the last row of each combination; behind WHERE */
  struct sql_expr *latest_on;
  struct sql_exprs latest_partition;
  /* SQL_SELECT_SET */
  enum sql_set_kind set;
  bool all;
  struct sql_select *left, *right;
  /* SQL_SELECT_VALUES: rows are SQL_ROWs */
  struct sql_exprs rows;
  /* all kinds */
  struct sql_orders order;
  struct sql_expr *limit; /* NULL: all rows (LIMIT ALL too) */
  struct sql_expr *offset_rows;
  bool with_ties;
};

/* ---- definitions ---- */
enum sql_column_role { SQL_ROLE_NONE, SQL_ROLE_TAG, SQL_ROLE_FIELD, SQL_ROLE_TIME };
/* name = value of WITH (…), of COPY and EXPLAIN: value NULL where only the name stands. A value
 * that is one word is a SQL_STRING like a quoted one; several in parentheses are a SQL_ROW, * a
 * SQL_STAR.
 */
struct sql_option {
  struct str name;
  struct sql_expr *value;
  uint32_t offset;
};
struct sql_options {
  struct sql_option *items;
  uint32_t count;
};
struct sql_column_definition {
  struct str name;
  struct sql_type_name *type;
  enum sql_column_role role; /* TAG, FIELD, TIME KEY behind the type */
  bool not_null, primary_key, unique;
  struct sql_expr *default_value;
  struct sql_expr *check;
  /* CODEC c, DECIMALS n, ERROR x, RELATIVE ERROR x, EXACT as "codec", "decimals", "error",
   * "relative_error", "exact" */
  struct sql_options options;
  uint32_t offset;
};
struct sql_assignment {
  struct sql_names columns; /* one, or (a, b) */
  struct sql_expr *value;   /* a SQL_ROW or a SQL_SCALAR for several */
  uint32_t offset;
};

enum sql_alter_kind {
  SQL_ALTER_ADD_COLUMN,    /* column */
  SQL_ALTER_DROP_COLUMN,   /* name */
  SQL_ALTER_RENAME_COLUMN, /* name to new_name */
  SQL_ALTER_RENAME,        /* new_name */
  SQL_ALTER_SET,           /* options */
  SQL_ALTER_RESET,         /* options without values */
  SQL_ALTER_COLUMN_SET,    /* name, options: SET (decimals = 2) */
  SQL_ALTER_COLUMN_RESET,
  SQL_ALTER_COLUMN_TYPE,     /* name, column->type */
  SQL_ALTER_COLUMN_DEFAULT,  /* name, value (NULL: dropped) */
  SQL_ALTER_COLUMN_NOT_NULL, /* name, on */
  SQL_ALTER_SET_SCHEMA,      /* new_name */
};
struct sql_alteration {
  enum sql_alter_kind kind;
  struct str name, new_name;
  struct sql_column_definition *column;
  struct sql_options options;
  struct sql_expr *value;
  bool on, if_exists, if_not_exists;
  uint32_t offset;
};

enum sql_object {
  SQL_OBJECT_DATABASE,
  SQL_OBJECT_SCHEMA,
  SQL_OBJECT_TABLE,
  SQL_OBJECT_VIEW,
  SQL_OBJECT_COLUMN
};

/* ---- statements ---- */
enum sql_statement_kind {
  SQL_STATEMENT_SELECT,
  SQL_STATEMENT_INSERT,
  SQL_STATEMENT_UPDATE,
  SQL_STATEMENT_DELETE,
  SQL_STATEMENT_CREATE_DATABASE, /* target, if_not_exists, options */
  SQL_STATEMENT_CREATE_SCHEMA,
  SQL_STATEMENT_CREATE_TABLE, /* target, columns, keys, checks, options; select: AS */
  SQL_STATEMENT_CREATE_VIEW,  /* target, or_replace, names, select, body */
  SQL_STATEMENT_ALTER,        /* object, target, alterations */
  SQL_STATEMENT_DROP,         /* object, targets, if_exists, cascade */
  SQL_STATEMENT_TRUNCATE,     /* targets */
  SQL_STATEMENT_COPY,         /* target or select, names, from or to, options */
  /* names[0]: a setting, "all", or what to list ("tables", "columns" …, of `target` if it is
   * named); "create": the definition of `object` target */
  SQL_STATEMENT_SHOW,
  /* names[0], values (none: DEFAULT), local; words are SQL_STRINGs. TRANSACTION: "transaction",
   * options as of BEGIN. */
  SQL_STATEMENT_SET,
  SQL_STATEMENT_RESET,      /* names[0]; "all" */
  SQL_STATEMENT_PREPARE,    /* names[0], types, inner */
  SQL_STATEMENT_EXECUTE,    /* names[0], values */
  SQL_STATEMENT_DEALLOCATE, /* names[0]; none: ALL */
  SQL_STATEMENT_COMMENT,    /* object, target, values[0] a string or NULL */
  SQL_STATEMENT_EXPLAIN,    /* inner, options (analyze, verbose, format …) */
  /* Transactions of one statement: accepted where harmless. options: transaction_isolation,
   * transaction_read_only, transaction_deferrable. */
  SQL_STATEMENT_BEGIN,
  SQL_STATEMENT_COMMIT,
  SQL_STATEMENT_ROLLBACK,
  SQL_STATEMENT_DISCARD, /* names[0]: all, plans, temporary */
  SQL_STATEMENT_USE,     /* names[0]: a database */
};
enum sql_conflict { SQL_CONFLICT_NONE, SQL_CONFLICT_NOTHING, SQL_CONFLICT_UPDATE };
/* One struct for all kinds: what a kind does not have is empty. */
struct sql_statement {
  enum sql_statement_kind kind;
  uint32_t offset, end;      /* its bytes in the text */
  uint32_t parameter_count;  /* the highest $n in it */
  struct sql_select *select; /* SELECT, INSERT's rows, CREATE TABLE AS, VIEW, COPY (…) TO */
  struct sql_with *with;     /* of INSERT, UPDATE, DELETE */
  uint32_t with_count;
  bool recursive;
  struct sql_name target;
  struct sql_name *targets;
  uint32_t target_count;
  struct str alias;
  struct sql_names names;
  struct sql_from **from; /* UPDATE … FROM, DELETE … USING */
  uint32_t from_count;
  struct sql_expr *where;
  struct sql_assignment *assignments;
  uint32_t assignment_count;
  struct sql_item *returning;
  uint32_t returning_count;
  bool default_values; /* INSERT … DEFAULT VALUES */
  enum sql_conflict conflict;
  struct sql_names conflict_columns;
  struct sql_expr *conflict_where;
  struct sql_column_definition *columns;
  uint32_t column_count;
  struct sql_names primary_key;  /* PRIMARY KEY (…) of the table */
  struct sql_names *unique_keys; /* UNIQUE (…) */
  uint32_t unique_key_count;
  struct sql_exprs checks; /* CHECK (…) of the table */
  struct sql_options options;
  struct sql_alteration *alterations;
  uint32_t alteration_count;
  enum sql_object object;
  bool if_exists, if_not_exists, or_replace, cascade, temporary, local, with_no_data;
  struct str body; /* CREATE VIEW: the SELECT's own text */
  /* COPY */
  bool copy_to;
  struct sql_expr *copy_file; /* NULL: STDIN or STDOUT */
  struct sql_exprs values;
  struct sql_type_name *types;
  uint32_t type_count;
  struct sql_statement *inner;
};

#endif
