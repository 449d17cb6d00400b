/* What the rewrite rules share. A rule takes a tree and gives a better one or the same; nodes are
 * copied, never changed. When memory is refused, `failed` is set and anything may be returned. */
#ifndef NILO_PLAN_RULES_PRIVATE_H
#define NILO_PLAN_RULES_PRIVATE_H

#include "plan/plan_private.h"
#include "plan/properties.h"

struct rewriting {
  struct arena *arena;
  struct err *err;
  const struct plan_estimator *estimator;
  bool failed;
};

/* Zeroed memory of the plan's life; NULL and `failed` when refused. */
void *rules__take(struct rewriting *rewriting, size_t size);
/* A copy that may be changed; NULL when memory is refused. */
struct plan_node *rules__copy(struct rewriting *rewriting, const struct plan_node *node);
const struct plan_node *rules__with_input(struct rewriting *rewriting, const struct plan_node *node,
                                          const struct plan_node *input);
const struct plan_node *rules__with_inputs(struct rewriting *rewriting,
                                           const struct plan_node *node,
                                           const struct plan_node *input,
                                           const struct plan_node *right);
/* Marks the rewriting as failed when an expression could not be made; gives it back. */
const struct expr *rules__made(struct rewriting *rewriting, const struct expr *expr);
const struct expr *rules__call2(struct rewriting *rewriting, enum plan_function function,
                                const struct expr *a, const struct expr *b);

/* ---- conditions as lists ---- */

struct conjuncts {
  const struct expr **list;
  uint32_t count, capacity;
};
/* Adds one; NULL is passed over. */
void rules__add(struct rewriting *rewriting, struct conjuncts *conjuncts, const struct expr *expr);
/* Adds the parts that AND joins; what all branches of an OR ask is one, too. */
void rules__split(struct rewriting *rewriting, struct conjuncts *conjuncts,
                  const struct expr *expr);
/* All of them joined by AND; NULL: there is none. */
const struct expr *rules__join(struct rewriting *rewriting, const struct conjuncts *conjuncts);
/* A filter over the node; the node itself without conjuncts. */
const struct plan_node *rules__filtered(struct rewriting *rewriting, const struct plan_node *node,
                                        const struct conjuncts *conjuncts);

/* ---- shapes ---- */

/* Neither groups nor time. */
bool rules__is_flat(const struct plan_schema *schema);
/* A flat projection of a node: `count` expressions with the names and types of `columns`. */
struct plan_node *rules__flat(struct rewriting *rewriting, const struct plan_node *input,
                              const struct expr *const *exprs, const struct plan_column *columns,
                              uint32_t count);
/* Expressions that copy the columns of a schema. */
const struct expr **rules__copies(struct rewriting *rewriting, const struct plan_schema *schema);
/* The schema of a join: left columns, then right ones unless left_only. */
bool rules__joined_schema(struct rewriting *rewriting, const struct plan_schema *left,
                          const struct plan_schema *right, bool left_only,
                          struct plan_schema *schema);
/* The lowest and highest + 1 column that is read; both 0: none. */
void rules__column_range(const struct expr *expr, uint32_t *first, uint32_t *end);
/* The scan below, through projections and perhaps filters; NULL: something else is there. */
const struct plan_node *rules__scan_below(const struct plan_node *node, bool filters_too);

/* A flat projection over a scan that is not grouped, perhaps with a filter between. */
struct flat_scan {
  const struct plan_node *project, *filter, *scan; /* filter NULL: none */
};
bool rules__flat_scan(const struct plan_node *node, struct flat_scan *found);
/* The tag that an expression over the scan gives, as it is or as nullif(tag, ''): its catalog id.
 */
bool rules__tag_of(const struct plan_node *scan, const struct expr *expr, uint32_t *tag);
/* True when the expression is the scan's time. */
bool rules__is_time(const struct plan_node *scan, const struct expr *expr);
/* The scan grouped by tags: its column i is column i + count of the result. Without time and values
 * changed; the filter over it, if any, follows. */
struct grouped_scan {
  const struct plan_node *scan, *top; /* top: the filter over it, or itself */
  uint32_t *map;                      /* columns of the old scan in the new one */
};
bool rules__group_scan(struct rewriting *rewriting, const struct flat_scan *flat,
                       const uint32_t *tags, uint32_t count, struct grouped_scan *grouped);

/* ---- the rules: each over one node whose inputs are rewritten, but the last three, which walk
 * over the tree from its root; what they do stands in rules.c and at the head of their files ----
 */
#define RULE(name)                                                                                 \
  const struct plan_node *name(struct rewriting *rewriting, const struct plan_node *node)
/* Contract: above. */
RULE(rules__true_filters);
RULE(rules__neighbour_filters);
RULE(rules__subqueries);
RULE(rules__projections);
RULE(rules__join_keys);
RULE(rules__points);
RULE(rules__scan_aggregates);
RULE(rules__top_n);
RULE(rules__sorts);
RULE(rules__join_methods);
RULE(rules__any_present);
RULE(rules__reverse);
RULE(rules__limits);
RULE(rules__unordered);
RULE(rules__push_filters);
RULE(rules__join_order);
RULE(rules__columns);

/* Moves what it can of `conjuncts` (over the scan's columns) into a scan; the others stay in the
 * list. */
const struct plan_node *rules__push_into_scan(struct rewriting *rewriting,
                                              const struct plan_node *node,
                                              struct conjuncts *conjuncts);

#endif
