/* The logger: levelled lines of text, handed to a sink that the wiring sets.
 *
 *     2026-11-20T10:00:00.123Z INFO store: opened parts=12 rows=81920
 *
 * One line per event, without a full stop, facts as key=value at the end. Control bytes inside the
 * text are printed as \xNN, so nothing that a client sent can forge a line. The same message (by
 * its format string) is written at most LOG_BURST times in LOG_WINDOW_NS; the next one after that
 * says how many were left out. Debug lines are never held back.
 *
 * Threads: any; the sink is called from the thread that logs, and writes a line at once. */
#ifndef NILO_BASE_LOG_H
#define NILO_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_LINE_MAX = 2048, LOG_BURST = 10, LOG_SLOTS = 64 };
#define LOG_WINDOW_NS (10 * INT64_C(1000000000))

/* What is remembered of one message, to hold repetitions back. */
struct log_slot {
  _Atomic uintptr_t format;
  _Atomic int64_t window_start; /* ns */
  _Atomic uint32_t written, held_back;
};

struct logger {
  _Atomic int level; /* enum log_level: what is less important is dropped */
  /* line: text with its newline, not terminated. */
  void (*sink)(void *context, enum log_level level, const char *line, size_t size);
  int64_t (*now)(void *context); /* wall clock, ns since 1970 */
  void *context;
  struct log_slot slots[LOG_SLOTS];
};

/* Prepares a logger in the caller's storage. A NULL sink drops everything. */
void logger_init(struct logger *logger, enum log_level level,
                 void (*sink)(void *context, enum log_level level, const char *line, size_t size),
                 int64_t (*now)(void *context), void *context);
void logger_set_level(struct logger *logger, enum log_level level);
/* A NULL logger logs nothing. */
static inline bool logger_enabled(const struct logger *logger, enum log_level level) {
  return logger && logger->sink &&
         (int)level <= atomic_load_explicit(&logger->level, memory_order_relaxed);
}
/* Writes one line; cut at LOG_LINE_MAX. */
void logger_write(struct logger *logger, enum log_level level, const char *module,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

#define log_at(logger, level, module, ...)                                                         \
  (logger_enabled((logger), (level)) ? logger_write((logger), (level), (module), __VA_ARGS__)      \
                                     : (void)0)
#define log_error(logger, module, ...) log_at((logger), LOG_LEVEL_ERROR, (module), __VA_ARGS__)
#define log_warn(logger, module, ...)  log_at((logger), LOG_LEVEL_WARN, (module), __VA_ARGS__)
#define log_info(logger, module, ...)  log_at((logger), LOG_LEVEL_INFO, (module), __VA_ARGS__)
#define log_debug(logger, module, ...) log_at((logger), LOG_LEVEL_DEBUG, (module), __VA_ARGS__)

/* "error", "warn", "info", "debug". */
const char *log_level_name(enum log_level level);
bool log_level_parse(struct str text, enum log_level *level);

#endif
