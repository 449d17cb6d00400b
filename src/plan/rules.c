/* The table of rewrite rules, and running them: each in one walk over the tree, from the leaves to
 * the root, in the order of the table, which is part of their meaning:
 *
 *   first what makes trees simpler (filters, subqueries into joins, projections into one), then
 *   filters down to the scans, then the order of joins; then what turns groups and first rows of
 *   groups into work of the scan; then orders; then what tells scans and aggregates what nobody
 *   needs, columns last. */
#include "plan/rules.h"

#include <string.h>

#include "base/err.h"
#include "plan/rules_private.h"

static const struct rule {
  const char *name;
  const struct plan_node *(*run)(struct rewriting *rewriting, const struct plan_node *node);
  bool whole; /* walks by itself */
} rules[] = {
    {"true filters", rules__true_filters, false},
    {"neighbour filters", rules__neighbour_filters, false},
    {"subqueries", rules__subqueries, false},
    {"projections", rules__projections, false},
    {"filters", rules__push_filters, true},
    {"join order", rules__join_order, true},
    {"join keys", rules__join_keys, false},
    {"projections", rules__projections, false},
    {"points", rules__points, false},
    {"scan aggregates", rules__scan_aggregates, false},
    {"projections", rules__projections, false},
    {"top n", rules__top_n, false},
    {"sorts", rules__sorts, false},
    {"join methods", rules__join_methods, false},
    {"any present", rules__any_present, false},
    {"reverse", rules__reverse, false},
    {"limits", rules__limits, false},
    {"unordered", rules__unordered, false},
    {"columns", rules__columns, true},
};
enum { RULES = sizeof rules / sizeof rules[0] };

const char *plan_rule_name(uint32_t i) { return i < RULES ? rules[i].name : NULL; }

static const struct plan_node *walk_up(struct rewriting *rewriting, const struct rule *rule,
                                       const struct plan_node *node) {
  const struct plan_node *input = node->input, *right = node->right;
  if (input) input = walk_up(rewriting, rule, input);
  if (right) right = walk_up(rewriting, rule, right);
  node = rules__with_inputs(rewriting, node, input, right);
  return rewriting->failed ? node : rule->run(rewriting, node);
}

static bool listed(const char *const *names, const char *name) {
  for (; *names; names++)
    if (strcmp(*names, name) == 0) return true;
  return false;
}

static bool wanted(const struct plan_optimizing *options, const char *name) {
  if (options && options->only) return listed(options->only, name);
  return !options || !options->without || !listed(options->without, name);
}

const struct plan_node *plan_optimize_with(struct arena *arena, const struct plan_node *plan,
                                           const struct plan_optimizing *options, struct err *err) {
  struct rewriting rewriting = {
      .arena = arena, .err = err, .estimator = options ? options->estimator : NULL};
  for (size_t i = 0; i < RULES; i++) {
    if (!wanted(options, rules[i].name)) continue;
    plan = rules[i].whole ? rules[i].run(&rewriting, plan) : walk_up(&rewriting, &rules[i], plan);
    if (rewriting.failed) return NULL;
    if (options && options->check && plan_check(plan, err)) {
      err_wrap(err, "the rule \"%s\" broke a plan", rules[i].name);
      return NULL;
    }
  }
  return plan;
}

const struct plan_node *plan_optimize(struct arena *arena, const struct plan_node *plan,
                                      struct err *err) {
#ifdef NILO_DEBUG
  struct plan_optimizing options = {.check = true};
  return plan_optimize_with(arena, plan, &options, err);
#else
  return plan_optimize_with(arena, plan, NULL, err);
#endif
}
