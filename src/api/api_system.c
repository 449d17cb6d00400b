/* system.settings and system.metrics: what only this layer knows. */
#include <stdio.h>

#include "api/api_private.h"
#include "base/buffer.h"

static const struct query_system_column setting_columns[] = {
    {"name", {PHYSICAL_STRING, 0, 0}},
    {"value", {PHYSICAL_STRING, 0, 0}},
    {"origin", {PHYSICAL_STRING, 0, 0}},
    {"description", {PHYSICAL_STRING, 0, 0}},
};

static void visit_setting(void *context, const struct setting_told *told) {
  struct query_rows *rows = context;
  query_rows_text(rows, str_from(told->setting->name));
  query_rows_text(rows, told->value);
  query_rows_text(rows, str_from(told->place));
  query_rows_text(rows, str_from(told->setting->help));
}

static int fill_settings(void *context, struct query_rows *rows, struct err *err) {
  struct api *api = context;
  if (!api->options.settings) return ERR_OK;
  return settings_visit(api->options.settings, visit_setting, rows, err);
}

static const struct query_system_column metric_columns[] = {
    {"name", {PHYSICAL_STRING, 0, 0}}, {"labels", {PHYSICAL_STRING, 0, 0}},
    {"kind", {PHYSICAL_STRING, 0, 0}}, {"value", {PHYSICAL_FLOAT64, 0, 0}},
    {"count", {PHYSICAL_INT64, 0, 0}}, {"p50", {PHYSICAL_FLOAT64, 0, 0}},
    {"p99", {PHYSICAL_FLOAT64, 0, 0}}, {"description", {PHYSICAL_STRING, 0, 0}},
};

/* {a="b",c="d"}, as Prometheus writes it; empty without labels. */
static void put_labels(struct query_rows *rows, const struct metric *metric) {
  char text[1024];
  size_t used = 0;
  for (size_t i = 0; i < metric->label_count && used < sizeof text; i++)
    used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=\"%s\"", i ? "," : "",
                             metric->labels[i].name, metric->labels[i].value);
  if (used >= sizeof text) used = sizeof text - 1;
  query_rows_text(rows, str_of(text, used));
}

static int visit_metric(void *context, const struct metric *metric) {
  static const char *const kinds[] = {"counter", "gauge", "histogram"};
  struct query_rows *rows = context;
  double scale = metric->scale != 0 ? metric->scale : 1;
  query_rows_text(rows, str_from(metric->name));
  put_labels(rows, metric);
  query_rows_text(rows, str_from(kinds[metric->kind]));
  if (metric->kind == METRIC_HISTOGRAM) {
    query_rows_float(rows, (double)atomic_load(&metric->histogram->sum) * scale);
    query_rows_integer(rows, (int64_t)metric_histogram_count(metric->histogram));
    query_rows_float(rows, metric_histogram_quantile(metric->histogram, 0.5) * scale);
    query_rows_float(rows, metric_histogram_quantile(metric->histogram, 0.99) * scale);
  } else {
    query_rows_float(rows, metric->value);
    for (int i = 0; i < 3; i++)
      query_rows_null(rows);
  }
  query_rows_text(rows, str_from(metric->help));
  return ERR_OK;
}

static int fill_metrics(void *context, struct query_rows *rows, struct err *err) {
  struct api *api = context;
  (void)err;
  if (!api->options.metrics) return ERR_OK;
  api_refresh_metrics(api);
  return metrics_visit(api->options.metrics, visit_metric, rows);
}

void api__system_tables(struct api *api) {
  const struct query_system_table tables[API_SYSTEM_TABLES] = {
      {"system", "settings", setting_columns, sizeof setting_columns / sizeof setting_columns[0],
       fill_settings, api},
      {"system", "metrics", metric_columns, sizeof metric_columns / sizeof metric_columns[0],
       fill_metrics, api},
  };
  for (int i = 0; i < API_SYSTEM_TABLES; i++)
    api->system_tables[i] = tables[i];
}
