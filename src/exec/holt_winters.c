/* P. R. Winters, "Forecasting sales by exponentially weighted moving averages" (Management Science
 * 6, 1960), with the damped trend of E. S. Gardner and E. McKenzie, "Forecasting trends in time
 * series" (Management Science 31, 1985), in the recursions that InfluxDB uses:
 *
 *     level   l = α y / s + (1 − α) (l' + φ b')
 *     trend   b = β (l − l') + (1 − β) φ b'
 *     season  s = γ y / (l' + φ b') + (1 − γ) s'
 *     next    y = (l + (φ + φ² + …) b) s
 *
 * The model runs freely: behind the first value, y is its own forecast. α, β, γ, φ, the first
 * level, trend and seasons are what minimizes the squared error: a simplex search (J. A. Nelder, R.
 * Mead, "A simplex method for function minimization", Computer Journal 7, 1965) from each point of
 * a grid. Its constants, and that a model writes the seasons it ends with and its bounded factors
 * back into the vertex that it was asked about, are InfluxDB's, so that answers agree. */
#include "exec/holt_winters.h"

#include <math.h>

#include "base/err.h"

enum { ALPHA, BETA, GAMMA, PHI, LEVEL, TREND, SEASONS, ROUNDS_MAX = 1000 };
static const double first_weight = 0.5, epsilon = 1e-4;
static const double grid_low = 0.3, grid_high = 1.0, grid_step = 0.4;

/* ---- the model ---- */

static void bound_factors(double *parameters) {
  for (int i = ALPHA; i <= PHI; i++) {
    if (parameters[i] > 1) parameters[i] = 1;
    if (parameters[i] < 0) parameters[i] = 0;
  }
}

/* Runs the model over the series and `ahead` steps more. Changes the parameters: see above. */
static void run_model(const struct holt_winters *series, double *parameters, size_t ahead,
                      double *out) {
  size_t season = series->season < 2 ? 0 : series->season;
  double *seasons = parameters + SEASONS;
  bound_factors(parameters);
  double phi = parameters[PHI], damping = phi;
  double level = parameters[LEVEL], trend = parameters[TREND];
  double value = series->values[0];
  out[0] = value;
  /* seasons is a ring; `at` is the place of the season before the current one */
  size_t at = season ? season - 1 : 0;
  for (size_t t = 1; t < series->count + ahead; t++) {
    double now = 1, next = 1;
    if (season) {
      now = seasons[(t + at) % season];
      next = seasons[(t + t % season + at) % season];
    }
    double expected = level + phi * trend;
    double new_level = parameters[ALPHA] * (value / now) + (1 - parameters[ALPHA]) * expected;
    double new_season = parameters[GAMMA] * (value / expected) + (1 - parameters[GAMMA]) * now;
    trend = parameters[BETA] * (new_level - level) + (1 - parameters[BETA]) * phi * trend;
    level = new_level;
    value = (level + damping * trend) * next;
    damping += pow(phi, (double)t);
    if (season) seasons[(t + at++) % season] = new_season;
    out[t] = value;
  }
}

/* ---- the search ---- */

struct search {
  const struct holt_winters *series;
  size_t size;                   /* parameters */
  double *vertices, *errors;     /* size + 1 of them */
  double *middle, *tried, *more; /* points */
  double *fitted;                /* values of a model */
};

static double error_of(const struct search *search, double *parameters) {
  const struct holt_winters *series = search->series;
  double sum = 0;
  run_model(series, parameters, 0, search->fitted);
  for (size_t i = 0; i < series->count; i++) {
    if (isnan(series->values[i])) continue;
    if (isnan(search->fitted[i])) return INFINITY;
    double off = search->fitted[i] - series->values[i];
    sum += off * off;
  }
  return sum;
}

static double *vertex(const struct search *search, size_t i) {
  return search->vertices + i * search->size;
}

static void set_vertex(const struct search *search, size_t i, const double *point, double error) {
  memcpy(vertex(search, i), point, search->size * sizeof *point);
  search->errors[i] = error;
}

static int begin(const struct search *search, const double *start, struct err *err) {
  size_t n = search->size;
  double spread = sqrt((double)(n + 1)) - 1, all = (double)n * sqrt(2);
  double own = (spread + (double)n) / all, other = spread / all;
  for (size_t i = 0; i <= n; i++)
    for (size_t j = 0; j < n; j++)
      vertex(search, i)[j] = i == 0 ? start[j] : (i - 1 == j ? own : other) + start[j];
  int code = ERR_OK;
  for (size_t i = 0; i <= n && !code; i++) {
    code = exec__check(search->series->exec, err);
    search->errors[i] = error_of(search, vertex(search, i));
  }
  return code;
}

/* The vertices with the greatest, the second greatest and the least error. */
struct ranks {
  size_t worst, second, best;
};
static struct ranks rank(const struct search *search) {
  const double *errors = search->errors;
  struct ranks ranks = {0, 0, 0};
  for (size_t i = 0; i <= search->size; i++) {
    if (errors[i] > errors[ranks.worst]) ranks.worst = i;
    if (errors[i] < errors[ranks.best]) ranks.best = i;
  }
  ranks.second = ranks.best;
  for (size_t i = 0; i <= search->size; i++)
    if (errors[i] > errors[ranks.second] && errors[i] < errors[ranks.worst]) ranks.second = i;
  return ranks;
}

static void find_middle(const struct search *search, size_t worst) {
  for (size_t j = 0; j < search->size; j++) {
    double sum = 0;
    for (size_t i = 0; i <= search->size; i++)
      if (i != worst) sum += vertex(search, i)[j];
    search->middle[j] = sum / (double)search->size;
  }
}

/* middle + factor (from - middle) */
static void go(const struct search *search, const double *from, double factor, double *to) {
  for (size_t j = 0; j < search->size; j++)
    to[j] = search->middle[j] + factor * (from[j] - search->middle[j]);
}

/* Moves the worst vertex towards the middle, or all towards the best one. */
static void contract(const struct search *search, const struct ranks *ranks, double reflected) {
  size_t n = search->size;
  bool outside = reflected < search->errors[ranks->worst];
  const double *worst = vertex(search, ranks->worst);
  if (outside) {
    go(search, search->tried, 0.5, search->more);
  } else {
    for (size_t j = 0; j < n; j++)
      search->more[j] = search->middle[j] - 0.5 * (search->middle[j] - worst[j]);
  }
  double error = error_of(search, search->more);
  if (error < search->errors[ranks->worst]) {
    set_vertex(search, ranks->worst, search->more, error);
    return;
  }
  const double *best = vertex(search, ranks->best);
  for (size_t i = 0; i <= n; i++)
    for (size_t j = 0; j < n && i != ranks->best; j++)
      vertex(search, i)[j] = best[j] + (vertex(search, i)[j] - best[j]) / 2;
  search->errors[ranks->worst] = error_of(search, vertex(search, ranks->worst));
  search->errors[ranks->second] = error_of(search, vertex(search, ranks->second));
}

static void step(const struct search *search) {
  struct ranks ranks = rank(search);
  const double *worst = vertex(search, ranks.worst);
  find_middle(search, ranks.worst);
  for (size_t j = 0; j < search->size; j++)
    search->tried[j] = search->middle[j] + (search->middle[j] - worst[j]);
  double reflected = error_of(search, search->tried);
  double least = search->errors[ranks.best];
  if (reflected < search->errors[ranks.second] && reflected >= least)
    set_vertex(search, ranks.worst, search->tried, reflected);
  if (reflected < least) {
    go(search, search->tried, 2, search->more);
    double further = error_of(search, search->more);
    if (further < reflected)
      set_vertex(search, ranks.worst, search->more, further);
    else
      set_vertex(search, ranks.worst, search->tried, reflected);
  }
  if (reflected >= search->errors[ranks.second]) contract(search, &ranks, reflected);
}

static bool has_converged(const struct search *search) {
  double count = (double)search->size, sum = 0, squares = 0;
  for (size_t i = 0; i <= search->size; i++)
    sum += search->errors[i];
  double mean = sum / (count + 1);
  for (size_t i = 0; i <= search->size; i++)
    squares += (search->errors[i] - mean) * (search->errors[i] - mean) / count;
  return sqrt(squares) < epsilon;
}

/* The least error from a start, and where it is. */
static int minimize(const struct search *search, const double *start, double *best, double *error,
                    struct err *err) {
  int code = begin(search, start, err);
  for (int round = 0; round < ROUNDS_MAX && !code; round++) {
    code = exec__check(search->series->exec, err);
    if (!code) step(search);
    if (has_converged(search)) break;
  }
  double *found = vertex(search, rank(search).best);
  memcpy(best, found, search->size * sizeof *best);
  *error = error_of(search, found);
  return code;
}

/* ---- both ---- */

/* The first guess of level, trend and seasons. */
static void guess(const struct holt_winters *series, double *parameters) {
  const double *y = series->values;
  size_t m = series->season;
  double level = 0, trend = 0;
  if (m < 2) {
    parameters[LEVEL] = first_weight * y[0];
    parameters[TREND] = isnan(y[1]) ? 0 : first_weight * (y[1] - y[0]);
    return;
  }
  for (size_t i = 0; i < m; i++)
    if (!isnan(y[i])) level += 1 / (double)m * y[i];
  for (size_t i = 0; i < m && m + i < series->count; i++)
    if (!isnan(y[i]) && !isnan(y[m + i])) trend += 1 / (double)(m * m) * (y[m + i] - y[i]);
  parameters[LEVEL] = level;
  parameters[TREND] = trend;
  for (size_t i = 0; i < m; i++)
    parameters[SEASONS + i] = isnan(y[i]) ? 0 : y[i] / level;
}

/* Tries all points of the grid; `best` has the parameters with the least error of all. */
static int fit(const struct search *search, double *start, double *found, double *best,
               struct err *err) {
  double least = INFINITY;
  bool any = false;
  guess(search->series, start);
  for (double a = grid_low; a < grid_high; a += grid_step)
    for (double b = grid_low; b < grid_high; b += grid_step)
      for (double c = grid_low; c < grid_high; c += grid_step)
        for (double d = grid_low; d < grid_high; d += grid_step) {
          double error;
          start[ALPHA] = a;
          start[BETA] = b;
          start[GAMMA] = c;
          start[PHI] = d;
          int code = minimize(search, start, found, &error, err);
          if (code) return code;
          if (any && !(error < least)) continue;
          any = true;
          least = error;
          memcpy(best, found, search->size * sizeof *best);
        }
  return ERR_OK;
}

int holt_winters_forecast(const struct holt_winters *series, size_t ahead, double *out,
                          struct err *err) {
  struct mem_account *account = series->exec->options.account;
  size_t n = SEASONS + (series->season < 2 ? 0 : series->season);
  size_t words = (n + 1) * n + (n + 1) + 6 * n;
  double *memory = mem_alloc_zero(account, words * sizeof *memory);
  if (!memory) return exec__refused(series->exec, words * sizeof *memory, err);
  double *errors = memory + (n + 1) * n, *points = errors + n + 1;
  struct search search = {series, n, memory, errors, points, points + n, points + 2 * n, out};
  double *best = points + 5 * n;
  int code = fit(&search, points + 3 * n, points + 4 * n, best, err);
  if (!code) run_model(series, best, ahead, out);
  mem_free(account, memory, words * sizeof *memory);
  return code;
}
