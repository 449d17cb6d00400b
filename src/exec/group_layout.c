/* From a PLAN_GROUP to what its tables are made of: calls over the columns that are needed. */
#include "base/err.h"
#include "exec/group_table.h"

/* The narrow schema's column of a column of the input. */
static uint32_t narrow(struct group_layout *layout, const struct plan_schema *input,
                       uint32_t column) {
  uint32_t at = 0;
  while (at < layout->rows.count && layout->columns[at] != column)
    at++;
  if (at == layout->rows.count) {
    struct plan_column *columns = (struct plan_column *)(uintptr_t)layout->rows.columns;
    layout->columns[at] = column;
    columns[at] = input->columns[column];
    layout->rows.count++;
  }
  return at;
}

static int narrow_call(struct group_layout *layout, const struct plan_schema *input,
                       const struct plan_group_call *call, struct plan_group_call *out,
                       struct err *err) {
  struct arena *arena = &layout->exec->memory;
  uint32_t *arguments = ARENA_ARRAY(arena, uint32_t, call->argument_count + 1);
  struct plan_sort_key *order = ARENA_ARRAY(arena, struct plan_sort_key, call->order_count + 1);
  if (!arguments || !order) return exec__refused(layout->exec, sizeof *order, err);
  *out = *call;
  for (uint32_t i = 0; i < call->argument_count; i++)
    arguments[i] = narrow(layout, input, call->arguments[i]);
  for (uint32_t i = 0; i < call->order_count; i++) {
    order[i] = call->order[i];
    order[i].column = narrow(layout, input, call->order[i].column);
  }
  out->arguments = arguments;
  out->order = order;
  if (call->filter != PLAN_NO_COLUMN) out->filter = narrow(layout, input, call->filter);
  return ERR_OK;
}

static uint32_t column_bound(const struct plan_grouping *plan) {
  uint32_t count = plan->key_count;
  for (uint32_t i = 0; i < plan->call_count; i++)
    count += plan->calls[i].argument_count + plan->calls[i].order_count + 1;
  return count + 1;
}

static int init_keys(struct group_layout *layout, const struct plan_grouping *plan,
                     const struct plan_schema *input, struct err *err) {
  struct arena *arena = &layout->exec->memory;
  uint32_t *keys = ARENA_ARRAY(arena, uint32_t, plan->key_count + 1);
  layout->key_types = ARENA_ARRAY(arena, struct type, plan->key_count + 1);
  if (!keys || !layout->key_types)
    return exec__refused(layout->exec, plan->key_count * sizeof *keys, err);
  for (uint32_t i = 0; i < plan->key_count; i++) {
    keys[i] = narrow(layout, input, plan->keys[i]);
    layout->key_types[i] = input->columns[plan->keys[i]].type;
  }
  layout->keys = keys;
  layout->key_count = plan->key_count;
  layout->field_count = plan->key_count + (plan->sets != NULL);
  layout->key_types[plan->key_count] = TYPE_INT64;
  layout->sets = plan->sets;
  layout->set_count = plan->sets ? plan->set_count : 0;
  return ERR_OK;
}

int group_layout_init(struct group_layout *layout, struct exec *exec, const struct plan_node *node,
                      struct err *err) {
  const struct plan_grouping *plan = &node->group;
  const struct plan_schema *input = &node->input->schema;
  struct arena *arena = &exec->memory;
  uint32_t bound = column_bound(plan);
  *layout = (struct group_layout){.exec = exec, .call_count = plan->call_count};
  layout->columns = ARENA_ARRAY(arena, uint32_t, bound);
  layout->rows.columns = ARENA_ARRAY(arena, struct plan_column, bound);
  layout->calls = ARENA_ARRAY(arena, struct aggregate_function, plan->call_count + 1);
  layout->offsets = ARENA_ARRAY(arena, uint32_t, plan->call_count + 1);
  if (!layout->columns || !layout->rows.columns || !layout->calls || !layout->offsets)
    return exec__refused(exec, bound * sizeof(struct plan_column), err);
  int code = init_keys(layout, plan, input, err);
  layout->record_size = sizeof(uint64_t);
  for (uint32_t i = 0; i < plan->call_count && !code; i++) {
    struct plan_group_call call;
    code = narrow_call(layout, input, &plan->calls[i], &call, err);
    if (!code) code = exec__aggregate_compile(exec, &call, &layout->rows, &layout->calls[i], err);
    layout->offsets[i] = layout->record_size;
    layout->record_size += layout->calls[i].state_size;
  }
  if (!code && layout->rows.count == 0) narrow(layout, input, 0); /* rows are counted by it */
  return code;
}
