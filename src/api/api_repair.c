/* nilo repair and nilo index rebuild: the store's repair, with what the series layer knows of tag
 * sets. */
#include "api/api_event.h"
#include "api/api_private.h"
#include "base/err.h"
#include "series/knowledge.h"
#include "store/tools.h"

struct repairing {
  const struct api_sink *sink;
  const struct api_options *options;
  struct series_knowledge *knowledge;
  uint64_t losses;
  bool *wrong; /* of the part at hand */
};

static void on_finding(void *context, const struct store_finding *finding) {
  struct repairing *repairing = context;
  repairing->losses += finding->kind == STORE_FINDING_DAMAGE;
  api__event_finding(repairing->sink, repairing->options->account, finding);
}

static void on_wrong(void *context, const struct err *error) {
  struct repairing *repairing = context;
  struct store_finding finding;
  *repairing->wrong = true;
  store_finding_of(error, repairing->options->path, &finding);
  finding.kind = STORE_FINDING_NOTE; /* a loss is told where it is one */
  finding.remedy[0] = 0;
  on_finding(repairing, &finding);
}

static int on_part(void *context, uint64_t store, struct store_part *part, bool *wrong,
                   struct err *err) {
  struct repairing *repairing = context;
  repairing->wrong = wrong;
  return series_check_part(series_knowledge_registry(repairing->knowledge), store, part, on_wrong,
                           repairing, err);
}

static int on_learn(void *context, uint64_t store, struct store_part *part, struct err *err) {
  struct repairing *repairing = context;
  return series_knowledge_part(repairing->knowledge, store, part, err);
}

static int on_note(void *context, uint64_t store, struct str note, struct err *err) {
  struct repairing *repairing = context;
  return series_knowledge_note(repairing->knowledge, store, note, err);
}

static bool on_knows(void *context, uint64_t store, uint64_t series) {
  const struct repairing *repairing = context;
  return series_knowledge_has(repairing->knowledge, store, series);
}

static int on_describe(void *context, uint64_t store, const uint64_t *series, size_t count,
                       struct buffer *out, struct err *err) {
  struct repairing *repairing = context;
  return series_knowledge_describe(repairing->knowledge, store, series, count, out, err);
}

static unsigned long long number(uint64_t value) { return value; }

static void tell(const struct repairing *repairing, const struct api_repair *repair, bool alone,
                 const struct store_repair_figures *figures) {
  struct api_event event;
  const char *tool = repair->index_only ? "index rebuild" : "repair";
  bool nothing = !figures->parts_damaged && !figures->manifest_rebuilt &&
                 !figures->parts_rewritten && !figures->parts_lost;
  api__event_begin(&event, repairing->sink, repairing->options->account, "done");
  api__event_text(&event, "tool", str_from(tool));
  api__event_number(&event, "parts", figures->parts);
  api__event_number(&event, "parts_damaged", figures->parts_damaged);
  api__event_number(&event, "parts_rewritten", figures->parts_rewritten);
  api__event_number(&event, "parts_lost", figures->parts_lost);
  api__event_number(&event, "rows_saved", figures->rows_saved);
  api__event_number(&event, "rows_lost", figures->rows_lost);
  api__event_number(&event, "values_lost", figures->values_lost);
  api__event_number(&event, "units_mended", figures->units_mended);
  json_key(&event.json, STR("manifest_rebuilt"));
  json_bool(&event.json, figures->manifest_rebuilt);
  json_key(&event.json, STR("dry_run"));
  json_bool(&event.json, repair->dry_run);
  if (nothing)
    api__event_sentence(&event, "%llu parts are whole: nothing to repair", number(figures->parts));
  else
    api__event_sentence(&event,
                        "%s%llu of %llu parts were damaged, %llu written anew; %llu rows saved, "
                        "%llu lost, with %llu values of others%s",
                        repair->dry_run ? "nothing was changed; it would be: " : "",
                        number(figures->parts_damaged), number(figures->parts),
                        number(figures->parts_rewritten), number(figures->rows_saved),
                        number(figures->rows_lost), number(figures->values_lost),
                        !figures->manifest_rebuilt ? ""
                        : alone                    ? "; a snapshot was made anew"
                                                   : "; the manifest was made anew");
  api__event_end(&event);
}

int api_repair(const struct api_options *options, const struct api_repair *repair,
               const struct api_sink *sink, uint64_t *losses, struct err *err) {
  struct repairing repairing = {.sink = sink, .options = options};
  struct store_repair_figures figures;
  enum store_form form;
  *losses = 0;
  int code = store_form_of(options->os, options->path, &form, err);
  if (!code && form == STORE_FORM_ALONE && repair->index_only)
    code = err_set(err, ERR_UNSUPPORTED, "%s is one store by itself: it has no series sections",
                   options->path);
  if (code) return code;
  code = series_knowledge_create(options->os, options->account, &repairing.knowledge, err);
  if (code) return code;
  struct store_repair_options store = {.os = options->os,
                                       .account = options->account,
                                       .context = &repairing,
                                       .found = on_finding,
                                       .dry_run = repair->dry_run,
                                       .index_only = repair->index_only,
                                       .index_all = repair->index_all};
  if (form == STORE_FORM_SHARD) {
    store.part = on_part;
    store.learn = on_learn;
    store.learn_note = on_note;
    store.knows = on_knows;
    store.describe = on_describe;
  }
  code = store_repair_directory(options->path, &store, &figures, err);
  series_knowledge_destroy(repairing.knowledge);
  if (!code) tell(&repairing, repair, form == STORE_FORM_ALONE, &figures);
  *losses = repairing.losses;
  return code;
}
