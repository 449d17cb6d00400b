#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct err_info *info_find(int code) {
  switch (code) {
#define ERROR(name, number, class, http, sqlstate, grpc, text)                                     \
  case number: {                                                                                   \
    static const struct err_info info = {#name, text, sqlstate, ERR_CLASS_##class, http, grpc};    \
    return &info;                                                                                  \
  }
#include "base/errors.def"
#undef ERROR
  default:
    return NULL;
  }
}

const struct err_info *err_info(int code) {
  const struct err_info *info = info_find(code);
  return info ? info : info_find(ERR_INTERNAL);
}

enum err_class err_class(int code) { return err_info(code)->class; }

const char *err_class_name(enum err_class class) {
  static const char *const names[] = {
      [ERR_CLASS_NONE] = "none",           [ERR_CLASS_VALIDATION] = "validation",
      [ERR_CLASS_NOT_FOUND] = "not found", [ERR_CLASS_CORRUPTION] = "corruption",
      [ERR_CLASS_RESOURCE] = "resource",   [ERR_CLASS_CONCURRENCY] = "concurrency",
      [ERR_CLASS_CANCELLED] = "cancelled", [ERR_CLASS_IO] = "io",
      [ERR_CLASS_INTERNAL] = "internal",
  };
  return names[class];
}

void err_reset(struct err *err) {
  if (!err) return;
  err->code = ERR_OK;
  err->line = 0;
  err->column = 0;
  err->offset = -1;
  err->retry_ms = 0;
  err->message[0] = '\0';
  err->detail[0] = '\0';
  err->hint[0] = '\0';
}

int err_set(struct err *err, int code, const char *format, ...) {
  if (!err) return code;
  err_reset(err);
  err->code = code;
  va_list args;
  va_start(args, format);
  vsnprintf(err->message, sizeof err->message, format, args);
  va_end(args);
  return code;
}

void err_hint(struct err *err, const char *format, ...) {
  if (!err) return;
  va_list args;
  va_start(args, format);
  vsnprintf(err->hint, sizeof err->hint, format, args);
  va_end(args);
}

void err_detail(struct err *err, const char *format, ...) {
  if (!err) return;
  va_list args;
  va_start(args, format);
  vsnprintf(err->detail, sizeof err->detail, format, args);
  va_end(args);
}

void err_retry(struct err *err, int64_t ms) {
  if (!err) return;
  err->retry_ms = ms < 1 ? 1 : ms > INT32_MAX ? INT32_MAX : (int32_t)ms;
}

void err_position(struct err *err, int32_t line, int32_t column, int64_t offset) {
  if (!err) return;
  err->line = line;
  err->column = column;
  err->offset = offset;
}

int err_wrap(struct err *err, const char *format, ...) {
  if (!err) return ERR_INTERNAL;
  /* The arguments may point into the object itself, so the new text is made first. */
  char message[sizeof err->message];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  char detail[sizeof err->message + sizeof err->detail + 2];
  snprintf(detail, sizeof detail, "%s%s%s", err->message,
           err->message[0] && err->detail[0] ? ": " : "", err->detail);
  snprintf(err->detail, sizeof err->detail, "%.*s", (int)sizeof err->detail - 1, detail);
  memcpy(err->message, message, sizeof message);
  return err->code;
}

int err_format(const struct err *err, char *out, int size) {
  if (size <= 0) return 0;
  const char *message = err->message[0] ? err->message : err_info(err->code)->text;
  int length =
      snprintf(out, (size_t)size, "%s%s%s%s%s%s", message, err->detail[0] ? " (" : "", err->detail,
               err->detail[0] ? ")" : "", err->hint[0] ? "; " : "", err->hint);
  if (length >= size) length = size - 1;
  for (int i = 0; i < length; i++) /* one line, whatever the parts quote */
    if (out[i] == '\n' || out[i] == '\r') out[i] = ' ';
  return length;
}
