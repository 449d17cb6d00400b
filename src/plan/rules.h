/* The rewrite rules by name: to run one alone in a test, or to leave some out. */
#ifndef NILO_PLAN_RULES_H
#define NILO_PLAN_RULES_H

#include "plan/plan.h"
#include "plan/properties.h"

struct plan_optimizing {
  const struct plan_estimator *estimator; /* NULL: guesses */
  /* Names of rules, ended by NULL: only these, or all but these. At most one of them is given. */
  const char *const *only, *const *without;
  bool check; /* plan_check after each rule: ERR_INTERNAL names the rule that broke the plan */
};

/* plan_optimize with choices; options may be NULL. NULL + err on failure. */
const struct plan_node *plan_optimize_with(struct arena *arena, const struct plan_node *plan,
                                           const struct plan_optimizing *options, struct err *err);
/* The name of rule i in the order in which they run, or NULL behind the last; a rule that runs
 * twice has two places. */
const char *plan_rule_name(uint32_t i);

#endif
