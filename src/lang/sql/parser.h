/* Between parser.c, which drives the grammar, and syntax_error.c, which words what it refuses. */
#ifndef NILO_LANG_SQL_PARSER_H
#define NILO_LANG_SQL_PARSER_H

#include "lang/sql/syntax.h"

/* The states of the machine's stack before a token. */
struct place {
  int count;
  uint16_t states[PARSER_STACK];
};
static inline bool sql__place_takes(const struct place *place, int kind) {
  return sql__machine_takes(place->states, place->count, kind);
}
/* What is known where a token is refused. */
struct syntax {
  struct place *place, *before; /* of the token, of the one before it */
  struct token previous[2];     /* the tokens before, the last one first */
};
/* Fails with "syntax error at or near …", what was expected, and a hint where one is known. */
void sql__fail_syntax(struct parser *parser, const struct syntax *syntax,
                      const struct token *token);
/* Fails for a token that is none: a string without its end and the like. */
void sql__fail_token(struct parser *parser, const struct token *token);

#endif
