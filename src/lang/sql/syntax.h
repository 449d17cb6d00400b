/* What the parser's files share: sql_lexer.re -> parser.c -> sql_grammar.y -> nodes*.c, and
 * print*.c.
 */
#ifndef NILO_LANG_SQL_SYNTAX_H
#define NILO_LANG_SQL_SYNTAX_H

#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/memory.h"
#include "lang/sql/tree.h"

struct buffer;

/* ---- keywords.c ---- */
enum keyword_class {
  KEYWORD_UNRESERVED, /* a name of anything */
  KEYWORD_COLUMN,     /* of columns, tables, aliases */
  KEYWORD_FUNCTION,   /* of functions */
  KEYWORD_RESERVED,   /* of nothing */
};
enum { KEYWORD_NEXT = 8 };
struct keyword {
  const char *word;
  int token;
  enum keyword_class class;
  bool bare;              /* names a column of an answer without AS */
  int next[KEYWORD_NEXT]; /* kinds of the next token that make it a keyword; 0 first: any */
};
/* The keyword that a word spells in any case, or NULL. */
const struct keyword *sql__keyword(struct str word);
/* The i-th of all, NULL behind the last. */
const struct keyword *sql__keyword_at(uint32_t i);

/* ---- sql_lexer.re ---- */
struct token {
  struct str text; /* as it stands in the text */
  int kind;
  const struct keyword *keyword; /* what the word spells, or NULL */
};
/* Kinds that the grammar never takes, each a fault of its own. */
enum {
  TOKEN_ILLEGAL = 1000,
  TOKEN_BAD_STRING,
  TOKEN_BAD_COMMENT,
  TOKEN_BAD_NUMBER,
  TOKEN_BAD_PARAMETER,
  TOKEN_BACKQUOTE,
  TOKEN_DOUBLE_EQUAL,
};
struct lexer {
  const char *at, *end;
};
/* The next token's kind; 0 at the end. */
int sql__next_token(struct lexer *lexer, struct token *token);

/* ---- literals.c: what tokens say, in the arena; empty after a failure ---- */
struct parser;
/* A name: folded, or without its quotes. */
struct str sql__identifier(struct parser *parser, const struct token *token);
/* A string of any kind without its quotes and escapes. */
struct str sql__string(struct parser *parser, const struct token *token);
/* An integer of at most 31 bits. */
int32_t sql__integer(struct parser *parser, const struct token *token);

/* ---- parser.c ---- */
/* Items of one type, growing in the arena. */
struct list {
  void *items;
  uint32_t count, capacity;
};
enum { PARSER_STACK = 2048 };
/* The state of one text's parsing. */
struct parser {
  struct arena *arena;
  struct str text;
  struct err *err;
  int code;                 /* the first failure */
  bool syntax_error;        /* the grammar refused the token at hand */
  uint32_t parameter_count; /* of the statement at hand */
  const char *begin;        /* of the statement at hand */
  const char *last_end;     /* of the last token that was taken */
  struct list statements;
  struct sql_expr *lone; /* the expression, when no statement was asked for */
  /* What constructors give after a failure, so that actions need not ask. */
  union {
    struct sql_expr expr;
    struct sql_select select;
    struct sql_from from;
    struct sql_window window;
    struct sql_name name;
    struct sql_type_name type;
    struct sql_statement statement;
    struct sql_column_definition column;
    struct sql_alteration alteration;
  } spare;
};
/* Records the first failure with its place. at NULL: the text's start. */
void sql__fail(struct parser *parser, int code, const char *at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- sql_grammar.y: the machine that lemon makes ---- */
/* Bytes of a machine. */
size_t sql__machine_size(void);
/* Makes one ready in memory of that size. */
void sql__machineInit(void *machine);
/* Ends one; its memory stays. */
void sql__machineFinalize(void *machine);
/* Feeds one token (kind 0: the end), which may run actions that fail the parser or set
 * parser->syntax_error. */
void sql__machine(void *machine, int kind, struct token token, struct parser *parser);
/* Copies the states on the machine's stack; returns how many. */
int sql__machine_save(const void *machine, uint16_t states[PARSER_STACK]);
/* True when a machine with these states takes the token. */
bool sql__machine_takes(const uint16_t *states, int count, int kind);
/* The name of a kind of tokens as the grammar has it: "SELECT". Static. */
const char *sql__token_name(int kind);

/* ---- print*.c: all append to `out` ---- */
/* a, b, c */
void sql__print_expr_list(const struct sql_exprs *exprs, struct buffer *out);
/* a, "B", c */
void sql__print_names(const struct sql_names *names, struct buffer *out);
/* schema.table */
void sql__print_dotted(const struct sql_name *name, struct buffer *out);
/* 'it''s' */
void sql__print_string(struct str text, struct buffer *out);
/* numeric(10, 2)[] */
void sql__print_type(const struct sql_type_name *type, struct buffer *out);
/* a DESC NULLS LAST, b */
void sql__print_orders(const struct sql_orders *orders, struct buffer *out);
/* (PARTITION BY …), with its parentheses */
void sql__print_window(const struct sql_window *window, struct buffer *out);
/* WITH a AS (…), and a blank; nothing for none. */
void sql__print_with(const struct sql_with *with, uint32_t count, bool recursive,
                     struct buffer *out);
/* a, b AS c JOIN d ON … */
void sql__print_froms(struct sql_from *const *from, uint32_t count, struct buffer *out);
/* a, b AS c */
void sql__print_items(const struct sql_item *items, uint32_t count, struct buffer *out);

#endif
