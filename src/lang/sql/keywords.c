/* The keywords, looked up by halves in the table of keywords.def. */
#include "base/text.h"
#include "lang/sql/grammar.h"
#include "lang/sql/syntax.h"

#define T(token)   SQL_TOKEN_##token
#define LABEL_BARE true
#define LABEL_AS   false
static const struct keyword keywords[] = {
#define KEYWORD(word, token, class, label)                                                         \
  {word, SQL_TOKEN_##token, KEYWORD_##class, LABEL_##label, {0}},
#define KEYWORD_BEFORE(word, token, class, label, ...)                                             \
  {word, SQL_TOKEN_##token, KEYWORD_##class, LABEL_##label, {__VA_ARGS__}},
#include "lang/sql/keywords.def"
#undef KEYWORD_BEFORE
#undef KEYWORD
};
enum { KEYWORD_COUNT = sizeof keywords / sizeof *keywords };

const struct keyword *sql__keyword(struct str word) {
  char lower[32];
  if (word.size >= sizeof lower) return NULL;
  for (size_t i = 0; i < word.size; i++)
    lower[i] = text_lower(word.data[i]);
  lower[word.size] = 0;
  size_t low = 0, high = KEYWORD_COUNT;
  while (low < high) {
    size_t middle = (low + high) / 2;
    int order = strcmp(lower, keywords[middle].word);
    if (order == 0) return &keywords[middle];
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}

const struct keyword *sql__keyword_at(uint32_t i) {
  return i < KEYWORD_COUNT ? &keywords[i] : NULL;
}
