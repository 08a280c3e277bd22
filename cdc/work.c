// work.c - telling how far long work is, and asking whether to go on.
// SPDX-License-Identifier: Apache-2.0
#include "cdc/state.h"

enum { ASK_ROWS = 4096 };  // some milliseconds of reading; less is not worth a word

void br_cdc_work_begin(br_cdc *cdc, const char *what, uint64_t rows_total)
{
    cdc->work = (br_cdc_work){.what = what, .rows_total = rows_total};
    cdc->work_unasked = 0;
}

br_status br_cdc_work_advance(br_cdc *cdc, const char *table, uint64_t rows, br_error *err)
{
    br_cdc_work *work = &cdc->work;
    cdc->work_unasked += rows;
    if (cdc->config.go_on == NULL || work->what == NULL || cdc->work_unasked < ASK_ROWS)
        return BR_OK;
    work->table = table;
    work->rows_done += cdc->work_unasked;
    cdc->work_unasked = 0;
    if (cdc->config.go_on(cdc->config.go_on_context, work)) return BR_OK;
    return br_fail(err, BR_INTERRUPTED, "interrupted");
}

void br_cdc_work_end(br_cdc *cdc)
{
    br_cdc_work *work = &cdc->work;
    bool was_told = work->what != NULL && work->rows_done > 0;
    work->rows_done += cdc->work_unasked;
    work->is_done = true;
    work->table = NULL;
    if (was_told) (void)cdc->config.go_on(cdc->config.go_on_context, work);
    *work = (br_cdc_work){0};
}
