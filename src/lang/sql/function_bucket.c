/* time_bucket(width, value …): a bucket of the plan, which scans and aggregates know.
 *
 * Buckets of days and less count from Monday, 3 January 2000, those of months from January 1970, as
 * TimescaleDB's users expect; an origin or an offset moves them. By a zone's clock a day has 23 to
 * 25 hours, and no row is lost or counted twice (plan/plan_bucket.h). */
#include "base/datetime.h"
#include "base/interval.h"
#include "lang/sql/functions_private.h"
#include "os/zones.h"

#define ORIGIN_NS ((__int128)946857600 * NS_PER_SECOND) /* 2000-01-03, a Monday */

/* What a call says, from its constants. */
struct bucket_call {
  struct interval width;
  struct interval offset;
  bool has_origin;
  __int128 origin_ns; /* an instant, or what a clock shows */
  const struct time_zone *zone;
};

static int refuse(struct err *err, const char *message, const char *hint) {
  err_set(err, ERR_INVALID_ARGUMENT, "%s", message);
  if (hint) err_hint(err, "%s", hint);
  return ERR_INVALID_ARGUMENT;
}

static int read_interval(const struct sql_call *call, uint32_t index, struct interval *interval,
                         struct err *err) {
  struct plan_value value;
  int code = sql__constant_argument(call, index, "width and offset", &value, err);
  if (code) return code;
  *interval = (struct interval){0};
  if (value.null || interval_load(value.text, interval)) return ERR_OK;
  return refuse(err, "this is no interval", NULL);
}

static int read_zone(const struct sql_call *call, const struct plan_value *value,
                     struct bucket_call *bucket, struct err *err) {
  if (value->null) return ERR_OK;
  if (!call->context->zones) return refuse(err, "there are no time zones here", NULL);
  return os_zones_find(call->context->zones, value->text, &bucket->zone, err);
}

/* Arguments behind the value, told apart by their types. */
static int read_more(const struct sql_call *call, struct bucket_call *bucket, struct err *err) {
  for (uint32_t i = 2; i < call->count; i++) {
    struct type type = call->arguments[i]->type;
    struct plan_value value;
    int code = sql__constant_argument(call, i, "origin, offset and zone", &value, err);
    if (code) return code;
    if (type.logical == LOGICAL_INTERVAL) {
      code = read_interval(call, i, &bucket->offset, err);
    } else if (type.physical == PHYSICAL_STRING) {
      code = read_zone(call, &value, bucket, err);
    } else if (!value.null) {
      bucket->has_origin = true;
      bucket->origin_ns = type.logical == LOGICAL_DATE
                              ? (__int128)value.i64 * NS_PER_DAY
                              : time_to_ns(value.i64, (enum time_unit)type.parameter);
    }
    if (code) return code;
  }
  return ERR_OK;
}

/* Of an interval without months, in ns. */
static __int128 interval_ns(const struct interval *interval) {
  return (__int128)interval->days * NS_PER_DAY + (__int128)interval->us * NS_PER_US;
}

/* Where buckets begin, by the clock that they follow. */
static __int128 origin_of(const struct bucket_call *bucket) {
  if (!bucket->has_origin) return bucket->width.months ? 0 : ORIGIN_NS;
  if (!bucket->zone) return bucket->origin_ns;
  struct time_zone_span span;
  time_zone_span(bucket->zone, (int64_t)(bucket->origin_ns / NS_PER_SECOND), &span);
  return bucket->origin_ns + (__int128)span.offset * NS_PER_SECOND;
}

static int fixed_bucket(const struct bucket_call *call, enum time_unit unit,
                        struct plan_bucket *bucket, struct err *err) {
  __int128 width = interval_ns(&call->width);
  if (width <= 0) return refuse(err, "the width of a bucket must be greater than 0", NULL);
  if (width > INT64_MAX)
    return err_set(err, ERR_OUT_OF_RANGE, "the width of a bucket is out of range");
  if (width % time_unit_ns(unit)) {
    return refuse(err, "the width of a bucket is finer than the unit of the times",
                  "use a width that the table's unit divides");
  }
  __int128 offset = (origin_of(call) + interval_ns(&call->offset)) % width;
  *bucket = plan_bucket_in_zone((int64_t)width / time_unit_ns(unit),
                                (int64_t)offset / time_unit_ns(unit), 0, unit, call->zone);
  return ERR_OK;
}

/* An origin inside of a bucket moves all of them by as much. */
static int months_bucket(const struct bucket_call *call, enum time_unit unit,
                         struct plan_bucket *bucket, struct err *err) {
  struct time_fields fields;
  if (call->width.days || call->width.us) {
    return refuse(err, "a bucket has months or a fixed width, not both",
                  "use a width of whole months, or of days and time");
  }
  if (call->width.months <= 0)
    return refuse(err, "the width of a bucket must be greater than 0", NULL);
  __int128 origin = origin_of(call);
  time_fields_from_ns(origin, &fields);
  int64_t month = (fields.year - 1970) * 12 + fields.month - 1;
  int64_t first = bucket_first(bucket_index(month, call->width.months, 0), call->width.months, 0);
  struct time_fields begin = {
      .year = 1970 + (first >= 0 ? first / 12 : (first - 11) / 12),
      .month = (int)(first - (first >= 0 ? first / 12 : (first - 11) / 12) * 12) + 1,
      .day = 1};
  __int128 offset = origin - time_fields_to_ns(&begin) + interval_ns(&call->offset);
  *bucket = plan_bucket_in_zone(0, (int64_t)(offset / time_unit_ns(unit)),
                                (uint32_t)call->width.months, unit, call->zone);
  return ERR_OK;
}

/* Dates and times by the clock are counted as instants of UTC meanwhile. */
static const struct expr *as_instants(struct sql_call *call, struct err *err) {
  const struct expr *value = call->arguments[1];
  if (value->type.logical == LOGICAL_TIMESTAMP) return value;
  struct type local = value->type.logical == LOGICAL_DATE ? TYPE_LOCAL(TIME_US) : value->type;
  if (sql_coerce(call->context, value, local, SQL_EXPLICIT, &value, err)) return NULL;
  return expr_cast(call->context->arena, value, TYPE_INT64, err);
}

int sql__build_time_bucket(struct sql_call *call, const struct expr **made, struct err *err) {
  struct bucket_call bucket_call = {0};
  struct plan_bucket bucket;
  int code = read_interval(call, 0, &bucket_call.width, err);
  if (!code) code = read_more(call, &bucket_call, err);
  const struct expr *value = code ? NULL : as_instants(call, err);
  if (!value) return code ? code : err && err->code ? err->code : ERR_NO_MEMORY;
  struct type type = call->arguments[1]->type;
  enum time_unit unit = type.logical == LOGICAL_DATE ? TIME_US : (enum time_unit)type.parameter;
  code = bucket_call.width.months ? months_bucket(&bucket_call, unit, &bucket, err)
                                  : fixed_bucket(&bucket_call, unit, &bucket, err);
  if (code) return code;
  *made = expr_bucket(call->context->arena, value, &bucket, err);
  if (!*made) return err && err->code ? err->code : ERR_NO_MEMORY;
  if (type_equal((*made)->type, type)) return ERR_OK;
  struct type local = type.logical == LOGICAL_DATE ? TYPE_LOCAL(TIME_US) : type;
  *made = expr_cast(call->context->arena, *made, local, err);
  if (!*made) return err && err->code ? err->code : ERR_NO_MEMORY;
  return sql_coerce(call->context, *made, type, SQL_EXPLICIT, made, err);
}

/* time_bucket(width, integer [, offset]) */
int sql__build_number_bucket(struct sql_call *call, const struct expr **made, struct err *err) {
  struct plan_value width, offset = {.type = TYPE_INT64};
  int code = sql__constant_argument(call, 0, "the width", &width, err);
  if (!code && call->count > 2) code = sql__constant_argument(call, 2, "the offset", &offset, err);
  if (code) return code;
  if (width.null || width.i64 <= 0)
    return refuse(err, "the width of a bucket must be greater than 0", NULL);
  struct plan_bucket bucket = {.width = width.i64, .offset = offset.i64 % width.i64};
  *made = expr_bucket(call->context->arena, call->arguments[1], &bucket, err);
  return *made ? ERR_OK : err && err->code ? err->code : ERR_NO_MEMORY;
}
