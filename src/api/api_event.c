/* Events of tools. */
#include "api/api_event.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "os/os.h"
#include "store/tools.h"

void api__event_begin(struct api_event *event, const struct api_sink *sink,
                      struct mem_account *account, const char *kind) {
  event->sink = sink;
  buffer_init(&event->text, account);
  json_writer_init(&event->json, &event->text, false);
  json_begin_object(&event->json);
  api__event_text(event, "event", str_from(kind));
}

void api__event_end(struct api_event *event) {
  json_end_object(&event->json);
  if (!event->text.failed) event->sink->event(event->sink->context, buffer_str(&event->text));
  buffer_deinit(&event->text);
}

void api__event_text(struct api_event *event, const char *name, struct str text) {
  json_key(&event->json, str_from(name));
  json_string(&event->json, text);
}

void api__event_number(struct api_event *event, const char *name, uint64_t value) {
  json_key(&event->json, str_from(name));
  json_u64(&event->json, value);
}

char *api__size_text(uint64_t bytes, char out[32]) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = (double)bytes;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
    value /= 1024;
  snprintf(out, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
  return out;
}

void api__event_sentence(struct api_event *event, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  api__event_text(event, "text", str_from(text));
}

enum { PROGRESS_NS = 100000000 };

int api__progress(struct api_progress *progress, uint64_t done, uint64_t total, struct err *err) {
  const struct api_sink *sink = progress->sink;
  if (sink->cancelled && sink->cancelled(sink->context))
    return err_set(err, ERR_CANCELLED, "cancelled");
  int64_t now = os_monotonic_ns(progress->os);
  if (progress->told_ns && now - progress->told_ns < PROGRESS_NS) return ERR_OK;
  progress->told_ns = now;
  struct api_event event;
  api__event_begin(&event, sink, progress->account, "progress");
  api__event_number(&event, "done", done);
  api__event_number(&event, "total", total);
  api__event_end(&event);
  return ERR_OK;
}

void api__event_finding(const struct api_sink *sink, struct mem_account *account,
                        const struct store_finding *finding) {
  struct api_event event;
  api__event_begin(&event, sink, account, "finding");
  api__event_text(&event, "kind",
                  finding->kind == STORE_FINDING_DAMAGE ? STR("damage") : STR("note"));
  api__event_text(&event, "file", str_from(finding->file));
  json_key(&event.json, STR("offset"));
  if (finding->offset >= 0)
    json_i64(&event.json, finding->offset);
  else
    json_null(&event.json);
  api__event_text(&event, "section", str_from(finding->section));
  api__event_text(&event, "what", str_from(finding->what));
  api__event_text(&event, "remedy", str_from(finding->remedy));
  api__event_end(&event);
}
