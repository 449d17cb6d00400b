/* Where statements end: at a semicolon outside of quotes, comments and parentheses. The lexer's
 * view of SQL (lang/sql/sql_lexer.re), as far as this needs it. */
#include "base/text.h"
#include "cli/shell.h"

static bool is_word(char c) {
  return text_is_letter(c) || text_is_digit(c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Past what is open: a quote or a comment. */
static size_t skip_open(struct str text, size_t at, struct shell_scan *scan) {
  char c = text.data[at];
  if (scan->comment_depth) {
    bool two = at + 1 < text.size;
    if (two && c == '*' && text.data[at + 1] == '/') {
      scan->comment_depth--;
      return at + 2;
    }
    if (two && c == '/' && text.data[at + 1] == '*') {
      scan->comment_depth++;
      return at + 2;
    }
    return at + 1;
  }
  if (scan->quote == '$') {
    struct str rest = {text.data + at, text.size - at};
    if (c == '$' && str_starts_with(rest, scan->tag)) {
      scan->quote = 0;
      return at + scan->tag.size;
    }
    return at + 1;
  }
  if (scan->quote == 'e' && c == '\\') return at + 1 + (at + 1 < text.size);
  if (c == (scan->quote == '"' ? '"' : '\'')) scan->quote = 0;
  return at + 1;
}

/* The size of $tag$ at the text's beginning; 0: it is none. */
static size_t tag_size(struct str text) {
  size_t size = 1;
  if (size < text.size && text_is_digit(text.data[size])) return 0;
  while (size < text.size && text.data[size] != '$' && is_word(text.data[size]))
    size++;
  return size < text.size && text.data[size] == '$' ? size + 1 : 0;
}

static size_t open_something(struct str text, size_t at, struct shell_scan *scan) {
  char c = text.data[at], next = at + 1 < text.size ? text.data[at + 1] : 0;
  bool in_word = at > 0 && is_word(text.data[at - 1]);
  if (c == '/' && next == '*') {
    scan->comment_depth = 1;
    return at + 2;
  }
  if (c == '-' && next == '-') {
    while (at < text.size && text.data[at] != '\n')
      at++;
    return at;
  }
  scan->blank &= text_is_blank(c);
  if (c == '\'' || c == '"') {
    char before = at > 0 ? text_lower(text.data[at - 1]) : 0;
    bool escaped = c == '\'' && before == 'e' && !(at > 1 && is_word(text.data[at - 2]));
    scan->quote = escaped ? 'e' : c;
  } else if (c == '$' && !in_word) {
    size_t size = tag_size(str_of(text.data + at, text.size - at));
    if (!size) return at + 1;
    scan->quote = '$';
    scan->tag = str_of(text.data + at, size);
    return at + size;
  } else if (c == '(') {
    scan->parentheses++;
  } else if (c == ')' && scan->parentheses) {
    scan->parentheses--;
  }
  return at + 1;
}

size_t shell_statement_end(struct str text, bool *whole, struct shell_scan *scan) {
  *scan = (struct shell_scan){.blank = true};
  *whole = false;
  size_t at = 0;
  while (at < text.size) {
    if (scan->comment_depth || scan->quote) {
      at = skip_open(text, at, scan);
    } else if (text.data[at] == ';' && !scan->parentheses) {
      *whole = true;
      return at + 1;
    } else {
      at = open_something(text, at, scan);
    }
  }
  return text.size;
}

struct str shell_strip(struct str text) {
  for (;;) {
    size_t before = text.size;
    text = text_trim(text);
    if (str_starts_with(text, STR("--"))) {
      size_t end = text_find(text, '\n');
      text = str_of(text.data + end, text.size - end);
    } else if (str_starts_with(text, STR("/*"))) {
      struct shell_scan scan = {.comment_depth = 1};
      size_t at = 2;
      while (at < text.size && scan.comment_depth)
        at = skip_open(text, at, &scan);
      if (scan.comment_depth) return text; /* it is open: more is to come */
      text = str_of(text.data + at, text.size - at);
    }
    if (text.size == before) return text;
  }
}
