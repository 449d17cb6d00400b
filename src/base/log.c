#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/time.h"

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *const level_marks[] = {"ERROR", "WARN", "INFO", "DEBUG"};

const char *log_level_name(enum log_level level) { return level_names[level]; }

bool log_level_parse(struct str text, enum log_level *level) {
  for (int i = 0; i <= LOG_LEVEL_DEBUG; i++) {
    if (!str_equal_ignoring_case(text, str_from(level_names[i]))) continue;
    *level = (enum log_level)i;
    return true;
  }
  return false;
}

void logger_init(struct logger *logger, enum log_level level,
                 void (*sink)(void *context, enum log_level level, const char *line, size_t size),
                 int64_t (*now)(void *context), void *context) {
  memset(logger, 0, sizeof *logger);
  atomic_init(&logger->level, (int)level);
  logger->sink = sink;
  logger->now = now;
  logger->context = context;
}

void logger_set_level(struct logger *logger, enum log_level level) {
  atomic_store_explicit(&logger->level, (int)level, memory_order_relaxed);
}

/* Whether this occurrence of the message is written; *held_back gets how many before it were not.
 * Under contention a line more or less may pass. A message whose slot another one has taken within
 * the window is not held back. */
static bool admit(struct logger *logger, const char *format, int64_t now, uint32_t *held_back) {
  struct log_slot *slot = &logger->slots[hash_mix((uintptr_t)format) % LOG_SLOTS];
  int64_t start = atomic_load_explicit(&slot->window_start, memory_order_relaxed);
  uintptr_t owner = atomic_load_explicit(&slot->format, memory_order_relaxed);
  bool over = now - start >= LOG_WINDOW_NS || now < start; /* a clock may jump back */
  *held_back = 0;
  if (owner != (uintptr_t)format || over) {
    if (owner && !over) return true;
    if (!atomic_compare_exchange_strong(&slot->window_start, &start, now)) return true;
    atomic_store_explicit(&slot->format, (uintptr_t)format, memory_order_relaxed);
    atomic_store_explicit(&slot->written, 1, memory_order_relaxed);
    uint32_t left_out = atomic_exchange_explicit(&slot->held_back, 0, memory_order_relaxed);
    if (owner == (uintptr_t)format) *held_back = left_out;
    return true;
  }
  if (atomic_fetch_add_explicit(&slot->written, 1, memory_order_relaxed) < LOG_BURST) return true;
  atomic_fetch_add_explicit(&slot->held_back, 1, memory_order_relaxed);
  return false;
}

/* Copies text with its control bytes spelled out; stops where the line is full. */
static size_t put_text(char *line, size_t at, size_t end, const char *text) {
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte >= 0x20 && byte != 0x7f) {
      if (at + 1 > end) break;
      line[at++] = *text;
      continue;
    }
    static const char hex[] = "0123456789abcdef";
    if (at + 4 > end) break;
    line[at++] = '\\';
    line[at++] = 'x';
    line[at++] = hex[byte >> 4];
    line[at++] = hex[byte & 15];
  }
  return at;
}

void logger_write(struct logger *logger, enum log_level level, const char *module,
                  const char *format, ...) {
  if (!logger_enabled(logger, level)) return;
  int64_t now = logger->now ? logger->now(logger->context) : 0;
  uint32_t held_back = 0;
  if (level != LOG_LEVEL_DEBUG && !admit(logger, format, now, &held_back)) return;
  char text[LOG_LINE_MAX], line[LOG_LINE_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  size_t end = sizeof line - 1; /* the newline */
  size_t at = (size_t)time_format_fixed(now, 3, line);
  line[at++] = ' ';
  at = put_text(line, at, end, level_marks[level]);
  at = put_text(line, at, end, " ");
  at = put_text(line, at, end, module);
  at = put_text(line, at, end, ": ");
  at = put_text(line, at, end, text);
  if (held_back) {
    char note[48];
    int size = snprintf(note, sizeof note, " held_back=%u", held_back);
    if (at + (size_t)size > end) at = end - (size_t)size;
    at = put_text(line, at, end, note);
  }
  line[at++] = '\n';
  logger->sink(logger->context, level, line, at);
}
