// mark.c - marks in the log of capture.
// SPDX-License-Identifier: Apache-2.0
#include "oltp/oltp.h"

br_status br_capture_mark(br_oltp *oltp, uint64_t *seq_out, br_error *err)
{
    // No table has the id 0, so that syncs take nothing from it but its number.
    static const char sql[] = "INSERT INTO main._braid_log(table_id) VALUES(0) RETURNING seq";
    int64_t seq = 0;
    br_status status = br_oltp_query_int(oltp, sql, 0, &seq, NULL);
    if (status != BR_OK) {
        // The tables of capture may be missing, when nobody has got to making them.
        BR_TRY(br_capture_install_meta(oltp, err));
        BR_TRY(br_oltp_query_int(oltp, sql, 0, &seq, err));
    }
    *seq_out = (uint64_t)seq;
    return BR_OK;
}
