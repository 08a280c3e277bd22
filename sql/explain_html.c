// EXPLAIN as a page for people: a bar per node for its share of the time, estimates that were far
// off marked. It is well-formed XML too, so that it can be checked.
// SPDX-License-Identifier: Apache-2.0
#include "sql/explain.h"

static const char page_head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\"/><title>Query plan</title><style>\n"
    "body{font:14px/1.45 system-ui,sans-serif;margin:2em;color:#222;background:#fff}\n"
    "pre{background:#f4f4f1;padding:.8em;border-radius:4px;white-space:pre-wrap}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th{text-align:left;font-weight:600;border-bottom:2px solid #999;white-space:nowrap}\n"
    "th.n{text-align:right}\n"
    "th,td{padding:.25em .6em;vertical-align:top}\n"
    "tr+tr td{border-top:1px solid #e4e4e0}\n"
    "td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    "td.x{color:#666;min-width:17em}\n"
    "code{font:13px ui-monospace,monospace}\n"
    ".off{background:#ffd9c7}\n"
    "h2{font-size:1em;margin:1.2em 0 .3em}\n"
    "</style></head><body>\n";

static void html_text(br_explainer *self, const char *text, size_t size)
{
    for (size_t i = 0, length; i < size; i += length == 0 ? 1 : length) {
        unsigned char byte = (unsigned char)text[i];
        length = br_explain_character(text + i, size - i);
        const char *entity = byte == '<'   ? "&lt;"
                             : byte == '>' ? "&gt;"
                             : byte == '&' ? "&amp;"
                             : length == 0 ? "&#xfffd;"
                                           : NULL;
        if (entity != NULL)
            br_explain_text(self, "%s", entity);
        else if (byte < ' ' && byte != '\n')
            br_explain_raw(self, " ", 1);
        else
            br_explain_raw(self, text + i, length);
    }
}

static void html_bar(br_explainer *self, double share)
{
    br_explain_text(self,
                    "<td><svg width=\"120\" height=\"12\" role=\"img\"><title>%.1f%%</title>"
                    "<rect width=\"120\" height=\"12\" fill=\"#eee\"/>"
                    "<rect width=\"%.1f\" height=\"12\" fill=\"#3b76b8\"/></svg></td>",
                    100 * share, 120 * share);
}

// The node's text, or with figures what only such nodes have.
static void html_escaped(br_explainer *self, const br_plan *plan, const br_node_figures *figures)
{
    br_buffer *out = self->out;
    br_buffer_clear(&self->detail);
    self->out = &self->detail;
    if (figures == NULL)
        br_explain_node(self, plan);
    else
        br_explain_extras(self, plan, figures);
    self->out = out;
    const char *text = (const char *)self->detail.bytes;
    size_t size = self->detail.size_bytes, skip = figures != NULL && size >= 2 ? 2 : 0;
    if (size > skip) html_text(self, text + skip, size - skip);
}

static void html_plan(br_explainer *self, const br_plan *plan, uint32_t depth)
{
    const br_node_figures *figures = br_explain_measured(self, plan);
    br_explain_text(self, "<tr><td style=\"padding-left:%.1fem\"><code>", 0.6 + 1.4 * depth);
    html_escaped(self, plan, NULL);
    br_explain_text(self, "</code></td>");
    if (figures != NULL) {
        bool is_off = br_explain_off(plan, figures) > BR_EXPLAIN_OFF_MAX;
        br_explain_text(self, "<td class=\"n\">%llu</td><td class=\"n%s\">%.0f</td>",
                        (unsigned long long)figures->rows, is_off ? " off" : "", plan->rows);
        br_explain_text(self, "<td class=\"n\">%.3f</td>", (double)figures->cpu_ns / 1e6);
        html_bar(self, br_explain_share(self, figures));
        br_explain_text(self, "<td class=\"x\">");
        html_escaped(self, plan, figures);
        br_explain_text(self, "</td>");
    } else {
        br_explain_text(self, "<td class=\"n\">%.0f</td>", plan->rows);
    }
    br_explain_text(self, "</tr>\n");
    if (plan->left != NULL) html_plan(self, plan->left, depth + 1);
    if (plan->right != NULL) html_plan(self, plan->right, depth + 1);
}

static void html_table(br_explainer *self, const char *title, uint32_t index, const br_plan *plan)
{
    if (title != NULL) br_explain_text(self, "<h2>%s %u</h2>\n", title, index);
    br_explain_text(self, "<table><tr><th>operator</th>%s</tr>\n",
                    self->profile == NULL
                        ? "<th class=\"n\">estimated rows</th>"
                        : "<th class=\"n\">rows</th><th class=\"n\">estimated</th>"
                          "<th class=\"n\">CPU ms</th><th>share</th><th></th>");
    html_plan(self, plan, 0);
    br_explain_text(self, "</table>\n");
}

static void html_summary(br_explainer *self, const br_explanation *what)
{
    br_explain_text(self, "<p>Engine: <b>%s</b> (", what->engine);
    html_text(self, what->reason, strlen(what->reason));
    br_explain_text(self, ")");
    if (what->query != NULL)
        br_explain_text(self, "; cost: columnar %.3f ms, SQLite %.3f ms; as of seq %llu",
                        what->cost_olap_ns / 1e6, what->cost_oltp_ns / 1e6,
                        (unsigned long long)what->seq);
    br_explain_text(self, ".</p>\n");
    if (what->profile != NULL) {
        br_explain_text(self, "<p>Took <b>%.3f ms</b>, CPU %.3f ms on up to %u threads, memory ",
                        (double)what->profile->wall_ns / 1e6,
                        (double)br_explain_total_ns(what->profile) / 1e6, what->profile->threads);
        br_explain_bytes(self, what->profile->peak_bytes);
        br_explain_text(self, ". Estimates that were off by more than %.0fx are marked.</p>\n",
                        BR_EXPLAIN_OFF_MAX);
    } else if (what->was_run) {
        br_explain_text(self, "<p>Took <b>%.3f ms</b>, %llu rows.</p>\n", what->run_ms,
                        (unsigned long long)what->row_count);
    }
}

void br_explain_html(br_explainer *self, const br_explanation *what)
{
    br_explain_raw(self, page_head, sizeof page_head - 1);
    br_explain_text(self, "<pre>");
    html_text(self, what->sql, strlen(what->sql));
    br_explain_text(self, "</pre>\n");
    html_summary(self, what);
    const br_query *query = what->query;
    if (query != NULL) html_table(self, NULL, 0, query->root);
    for (uint32_t i = 0; query != NULL && i < query->shared_count; i++)
        html_table(self, "shared", i, query->shared[i]);
    for (uint32_t i = 0; query != NULL && i < query->subquery_count; i++)
        html_table(self, "subquery", i, query->subqueries[i]);
    for (uint32_t i = 0; query != NULL && i < query->applied_count; i++)
        html_table(self, "applied", i, query->applied[i]);
    br_explain_text(self, "</body></html>\n");
}
