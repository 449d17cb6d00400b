/* Lines from a person: editing, history and completion by libedit; plain lines without it.
 *
 * While a line is edited, Ctrl-C is a key like others: it forgets what was typed. libedit reads and
 * writes by the locale's characters; this thread gets UTF-8's, the process stays as it is. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/shell.h"

#ifdef NILO_LIBEDIT
#include <histedit.h>

enum { HISTORY_MAX = 2000, CANDIDATES_MAX = 400, WORD_MAX = 128 };

struct shell_line {
  struct shell *shell;
  EditLine *edit;
  History *history;
  HistEvent event;
  locale_t locale;
  char prompt[80];
  char file[LIMIT_PATH_SIZE]; /* of the history; "": none */
  bool interrupted, loaded;
};

static const char *const keywords[] = {
#define KEYWORD(word, ...)        word,
#define KEYWORD_BEFORE(word, ...) word,
#include "lang/sql/keywords.def"
#undef KEYWORD_BEFORE
#undef KEYWORD
};

static char *prompt_of(EditLine *edit) {
  struct shell_line *line;
  el_get(edit, EL_CLIENTDATA, &line);
  return line->prompt;
}

static unsigned char on_interrupt(EditLine *edit, int key) {
  struct shell_line *line;
  (void)key;
  el_get(edit, EL_CLIENTDATA, &line);
  line->interrupted = true;
  fputs("^C", stdout);
  el_push(edit, "\n");
  return CC_REFRESH;
}

/* ---- completion ---- */

/* Names of tables, columns and functions, asked for once. */
static void load_words(struct shell_line *line) {
  static const char *const queries[] = {
      "SELECT table_name FROM information_schema.tables",
      "SELECT DISTINCT column_name FROM information_schema.columns WHERE table_schema NOT IN "
      "('information_schema', 'pg_catalog', 'system')",
      "SELECT table_schema FROM information_schema.tables GROUP BY 1",
  };
  struct shell *shell = line->shell;
  line->loaded = true;
  for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
    struct shell_result result;
    struct err err;
    shell_result_init(&result, &shell->cli->account);
    if (!shell_query(shell, str_from(queries[q]), &result, &err))
      for (size_t r = 0; r < shell_rows(&result); r++) {
        struct str word =
            arena_copy(&shell->words_arena, shell_cells(&result)[r * result.columns].text);
        if (word.data && word.size) buffer_append(&shell->words, &word, sizeof word);
      }
    shell_result_deinit(&result);
  }
}

struct candidates {
  struct str prefix;
  bool upper;
  char words[CANDIDATES_MAX][WORD_MAX];
  size_t count;
};

static void offer(struct candidates *candidates, struct str word, bool keyword) {
  if (candidates->count == CANDIDATES_MAX || word.size >= WORD_MAX) return;
  if (word.size < candidates->prefix.size ||
      !str_equal_ignoring_case(str_of(word.data, candidates->prefix.size), candidates->prefix))
    return;
  char *out = candidates->words[candidates->count];
  for (size_t i = 0; i < word.size; i++)
    out[i] =
        (char)(keyword && candidates->upper && text_is_letter(word.data[i]) ? word.data[i] & ~0x20
                                                                            : word.data[i]);
  out[word.size] = 0;
  for (size_t i = 0; i < candidates->count; i++)
    if (!strcmp(candidates->words[i], out)) return;
  candidates->count++;
}

static void gather(struct shell_line *line, struct candidates *candidates) {
  if (candidates->prefix.size && candidates->prefix.data[0] == '\\') {
    for (size_t i = 0; shell_command_name(i); i++)
      offer(candidates, str_from(shell_command_name(i)), false);
    return;
  }
  if (!line->loaded) load_words(line);
  const struct str *words = (const struct str *)(const void *)line->shell->words.data;
  for (size_t i = 0; i < line->shell->words.size / sizeof *words; i++)
    offer(candidates, words[i], false);
  for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
    offer(candidates, str_from(keywords[i]), true);
}

/* What all candidates share behind the prefix. */
static size_t shared(const struct candidates *candidates) {
  size_t size = strlen(candidates->words[0]);
  for (size_t i = 1; i < candidates->count; i++) {
    size_t same = 0;
    while (same < size &&
           text_lower(candidates->words[i][same]) == text_lower(candidates->words[0][same]))
      same++;
    size = same;
  }
  return size;
}

static void list(const struct candidates *candidates) {
  size_t columns, rows, widest = 0, shown = candidates->count;
  shell_screen_size(&columns, &rows);
  if (shown > 60) shown = 60;
  for (size_t i = 0; i < shown; i++)
    if (strlen(candidates->words[i]) > widest) widest = strlen(candidates->words[i]);
  size_t across = columns / (widest + 2) ? columns / (widest + 2) : 1;
  for (size_t i = 0; i < shown; i++)
    printf("%s%-*s", i % across ? "" : "\n", (int)widest + 2, candidates->words[i]);
  printf("%s\n", shown < candidates->count ? "\n…" : "");
}

static unsigned char on_tab(EditLine *edit, int key) {
  struct shell_line *line;
  (void)key;
  el_get(edit, EL_CLIENTDATA, &line);
  const LineInfo *info = el_line(edit);
  const char *begin = info->cursor;
  while (begin > info->buffer && (text_is_letter(begin[-1]) || text_is_digit(begin[-1]) ||
                                  begin[-1] == '_' || (unsigned char)begin[-1] >= 0x80))
    begin--;
  if (begin == info->buffer + 1 && info->buffer[0] == '\\') begin--;
  size_t size = (size_t)(info->cursor - begin);
  struct mem_account *account = &line->shell->cli->account;
  struct candidates *candidates = mem_alloc_zero(account, sizeof *candidates);
  if (!candidates) return CC_ERROR;
  char prefix[WORD_MAX];
  if (size >= sizeof prefix) size = 0;
  memcpy(prefix, begin, size);
  candidates->prefix = str_of(prefix, size);
  candidates->upper = size == 0 || (prefix[0] >= 'A' && prefix[0] <= 'Z');
  unsigned char result = CC_ERROR;
  if (size) gather(line, candidates);
  if (candidates->count) {
    char addition[WORD_MAX + 2];
    size_t common = shared(candidates);
    snprintf(addition, sizeof addition, "%.*s%s", (int)(common - size), candidates->words[0] + size,
             candidates->count == 1 ? " " : "");
    if (addition[0]) {
      el_insertstr(edit, addition);
      result = CC_REFRESH;
    } else {
      list(candidates);
      result = CC_REDISPLAY;
    }
  }
  mem_free(account, candidates, sizeof *candidates);
  return result;
}

/* ---- life ---- */

static void open_history(struct shell_line *line) {
  const char *named = getenv("NILO_HISTORY"), *home = getenv("HOME");
  if (named)
    snprintf(line->file, sizeof line->file, "%s", named);
  else if (home && *home)
    snprintf(line->file, sizeof line->file, "%s/.nilo_history", home);
  line->history = history_init();
  if (!line->history) return;
  history(line->history, &line->event, H_SETSIZE, HISTORY_MAX);
  history(line->history, &line->event, H_SETUNIQUE, 1);
  if (line->file[0]) history(line->history, &line->event, H_LOAD, line->file);
  el_set(line->edit, EL_HIST, history, line->history);
}

struct shell_line *shell_line_create(struct shell *shell) {
  struct shell_line *line = mem_alloc_zero(&shell->cli->account, sizeof *line);
  if (!line) return NULL;
  line->shell = shell;
  line->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  if (line->locale) uselocale(line->locale);
  line->edit = el_init("nilo", stdin, stdout, stderr);
  if (!line->edit) {
    shell_line_destroy(line);
    return NULL;
  }
  el_set(line->edit, EL_CLIENTDATA, line);
  el_set(line->edit, EL_PROMPT, prompt_of);
  el_set(line->edit, EL_EDITOR, "emacs");
  el_set(line->edit, EL_ADDFN, "nilo-complete", "complete the word", on_tab);
  el_set(line->edit, EL_ADDFN, "nilo-interrupt", "forget the line", on_interrupt);
  el_set(line->edit, EL_BIND, "^I", "nilo-complete", NULL);
  el_set(line->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(line->edit, EL_SETTY, "-d", "-isig", NULL);
  el_set(line->edit, EL_BIND, "^C", "nilo-interrupt", NULL);
  open_history(line);
  el_source(line->edit, NULL); /* ~/.editrc */
  return line;
}

void shell_line_destroy(struct shell_line *line) {
  if (!line) return;
  if (line->history) {
    if (line->file[0]) history(line->history, &line->event, H_SAVE, line->file);
    history_end(line->history);
  }
  if (line->edit) el_end(line->edit);
  if (line->locale) {
    uselocale(LC_GLOBAL_LOCALE);
    freelocale(line->locale);
  }
  mem_free(&line->shell->cli->account, line, sizeof *line);
}

struct str shell_line_read(struct shell_line *line, const char *prompt, bool *interrupted) {
  int size = 0;
  snprintf(line->prompt, sizeof line->prompt, "%s", prompt);
  line->interrupted = false;
  const char *text = el_gets(line->edit, &size);
  *interrupted = line->interrupted;
  if (!text || size <= 0) return (struct str){NULL, 0};
  while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
    size--;
  return str_of(text, (size_t)size);
}

void shell_line_remember(struct shell_line *line, struct str statement) {
  struct str text = text_trim(statement);
  char *copy = text.size ? mem_alloc(&line->shell->cli->account, text.size + 1) : NULL;
  if (!copy || !line->history) return;
  memcpy(copy, text.data, text.size);
  copy[text.size] = 0;
  bool comments = strstr(copy, "--") != NULL; /* which end with their line */
  for (size_t i = 0; i < text.size && !comments; i++)
    if (copy[i] == '\n') copy[i] = ' ';
  history(line->history, &line->event, H_ENTER, copy);
  mem_free(&line->shell->cli->account, copy, text.size + 1);
}

#else

struct shell_line {
  struct shell *shell;
  char text[64 << 10];
};

struct shell_line *shell_line_create(struct shell *shell) {
  struct shell_line *line = mem_alloc_zero(&shell->cli->account, sizeof *line);
  if (line) line->shell = shell;
  return line;
}

void shell_line_destroy(struct shell_line *line) {
  if (line) mem_free(&line->shell->cli->account, line, sizeof *line);
}

struct str shell_line_read(struct shell_line *line, const char *prompt, bool *interrupted) {
  *interrupted = false;
  fputs(prompt, stdout);
  fflush(stdout);
  if (!fgets(line->text, sizeof line->text, stdin)) return (struct str){NULL, 0};
  return str_of(line->text, strcspn(line->text, "\r\n"));
}

void shell_line_remember(struct shell_line *line, struct str statement) {
  (void)line;
  (void)statement;
}

#endif
