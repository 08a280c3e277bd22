// mark.c - marks in the log of capture.
// SPDX-License-Identifier: Apache-2.0
#include "oltp/oltp.h"

br_status br_capture_mark(br_oltp *oltp, uint64_t *seq_out, br_error *err)
{
    int64_t seq = 0;
    // No table has the id 0, so that syncs take nothing from it but its number.
    BR_TRY(br_oltp_query_int(oltp,
                             "INSERT INTO main._braid_log(table_id) VALUES(0) RETURNING seq", 0,
                             &seq, err));
    *seq_out = (uint64_t)seq;
    return BR_OK;
}
