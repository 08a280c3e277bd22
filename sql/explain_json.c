// EXPLAIN as one JSON object, for programs.
// SPDX-License-Identifier: Apache-2.0
#include "sql/explain.h"

static void json_text(br_explainer *self, const char *text, size_t size)
{
    br_explain_text(self, "\"");
    for (size_t i = 0, length; i < size; i += length == 0 ? 1 : length) {
        unsigned char byte = (unsigned char)text[i];
        length = br_explain_character(text + i, size - i);
        if (length == 0)
            br_explain_text(self, "\\ufffd");
        else if (byte < ' ' || byte == '"' || byte == '\\')
            br_explain_text(self, "\\u%04x", byte);
        else
            br_explain_raw(self, text + i, length);
    }
    br_explain_text(self, "\"");
}

static void json_member(br_explainer *self, const char *name, const char *text)
{
    br_explain_text(self, "\"%s\":", name);
    json_text(self, text, strlen(text));
}

static void json_count(br_explainer *self, const char *name, uint64_t count)
{
    br_explain_text(self, ",\"%s\":%llu", name, (unsigned long long)count);
}

static void json_figures(br_explainer *self, const br_plan *plan, const br_node_figures *figures)
{
    json_count(self, "rows", figures->rows);
    json_count(self, "batches", figures->batches);
    br_explain_text(self, ",\"cpu_ms\":%.6f,\"share\":%.4f", (double)figures->cpu_ns / 1e6,
                    br_explain_share(self, figures));
    json_count(self, "memory_bytes", figures->memory_bytes);
    json_count(self, "spilled_bytes", figures->spilled_bytes);
    if (plan->kind == BR_PLAN_JOIN) json_count(self, "build_rows", figures->build_rows);
    if (plan->kind != BR_PLAN_SCAN) return;
    json_count(self, "rows_read", figures->rows_read);
    json_count(self, "delta_rows", figures->delta_rows);
    json_count(self, "zones_read", figures->zones_read);
    json_count(self, "zones_skipped", figures->zones_pruned);
    json_count(self, "pages_loaded", figures->pages_loaded);
    json_count(self, "bytes_loaded", figures->bytes_loaded);
}

static void json_plan(br_explainer *self, const br_plan *plan)
{
    const br_node_figures *figures = br_explain_measured(self, plan);
    br_buffer *out = self->out;
    br_buffer_clear(&self->detail);
    self->out = &self->detail;
    br_explain_node(self, plan);
    self->out = out;
    br_explain_text(self, "{");
    json_member(self, "operator", br_explain_operator(plan));
    br_explain_text(self, ",\"detail\":");
    json_text(self, (const char *)self->detail.bytes, self->detail.size_bytes);
    br_explain_text(self, ",\"estimated_rows\":%.0f", plan->rows);
    if (figures != NULL) json_figures(self, plan, figures);
    br_explain_text(self, ",\"inputs\":[");
    if (plan->left != NULL) json_plan(self, plan->left);
    if (plan->right != NULL) {
        br_explain_text(self, ",");
        json_plan(self, plan->right);
    }
    br_explain_text(self, "]}");
}

static void json_plans(br_explainer *self, const char *name, br_plan *const *plans,
                       uint32_t count)
{
    br_explain_text(self, ",\"%s\":[", name);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) br_explain_text(self, ",");
        json_plan(self, plans[i]);
    }
    br_explain_text(self, "]");
}

static void json_query(br_explainer *self, const br_explanation *what)
{
    br_explain_text(self, ",\"cost_ms\":{\"olap\":%.6f,\"oltp\":%.6f}", what->cost_olap_ns / 1e6,
                    what->cost_oltp_ns / 1e6);
    json_count(self, "seq", what->seq);
    br_explain_text(self, ",\"analyzed\":%s", what->profile == NULL ? "false" : "true");
    if (what->profile != NULL) {
        br_explain_text(self, ",\"wall_ms\":%.6f,\"cpu_ms\":%.6f",
                        (double)what->profile->wall_ns / 1e6,
                        (double)br_explain_total_ns(what->profile) / 1e6);
        json_count(self, "threads", what->profile->threads);
        json_count(self, "peak_bytes", what->profile->peak_bytes);
    }
    json_plans(self, "plan", &what->query->root, 1);
    json_plans(self, "shared", what->query->shared, what->query->shared_count);
    json_plans(self, "subqueries", what->query->subqueries, what->query->subquery_count);
    json_plans(self, "applied", what->query->applied, what->query->applied_count);
}

void br_explain_json(br_explainer *self, const br_explanation *what)
{
    br_explain_text(self, "{");
    json_member(self, "sql", what->sql);
    br_explain_text(self, ",");
    json_member(self, "engine", what->engine);
    br_explain_text(self, ",");
    json_member(self, "reason", what->reason);
    if (what->query != NULL) {
        json_query(self, what);
    } else {
        br_explain_text(self, ",\"analyzed\":%s", what->was_run ? "true" : "false");
        if (what->was_run) {
            br_explain_text(self, ",\"wall_ms\":%.6f", what->run_ms);
            json_count(self, "rows", what->row_count);
        }
    }
    br_explain_text(self, "}\n");
}
