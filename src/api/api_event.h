/* How tools write their events. Private to the api. */
#ifndef NILO_API_API_EVENT_H
#define NILO_API_API_EVENT_H

#include "api/api_tools.h"
#include "base/buffer.h"
#include "wire/json.h"

/* An event in the making: begun, filled with json_key and values, ended (which hands it on). An
 * event for which there is no memory is left out. */
struct api_event {
  const struct api_sink *sink;
  struct buffer text;
  struct json_writer json;
};
void api__event_begin(struct api_event *event, const struct api_sink *sink,
                      struct mem_account *account, const char *kind);
void api__event_end(struct api_event *event);
void api__event_text(struct api_event *event, const char *name, struct str text);
void api__event_number(struct api_event *event, const char *name, uint64_t value);

/* "1.5 MiB"; returns out. */
char *api__size_text(uint64_t bytes, char out[32]);
/* A sentence for people, as the member "text". */
void api__event_sentence(struct api_event *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Tells how far a tool is, ten times a second at most; ERR_CANCELLED when it is to give up. */
struct api_progress {
  const struct api_sink *sink;
  struct mem_account *account;
  struct os *os;
  int64_t told_ns;
};
int api__progress(struct api_progress *progress, uint64_t done, uint64_t total, struct err *err);

struct store_finding;
/* A whole event of what a check has found. */
void api__event_finding(const struct api_sink *sink, struct mem_account *account,
                        const struct store_finding *finding);

/* ---- api_jobs.c ---- */
/* Ends all jobs and forgets them. */
void api__jobs_end(struct api *api);

#endif
