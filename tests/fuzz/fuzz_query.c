// fuzz_query - queries through the columnar engine, on a small database.
// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/support_sql.h"

enum { TIMEOUT_MS = 100 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = fuzz_text(bytes, size);
    braid_statement *statement = NULL;
    braid_result *result = NULL;
    if (text == NULL) return 0;
    braid *db = fuzz_world(text);
    if (fuzz_is_query(text) && braid_prepare(db, text, &statement, NULL) == BRAID_OK &&
        statement != NULL) {
        braid_statement_set_engine(statement, BRAID_ENGINE_OLAP);
        braid_statement_set_timeout(statement, TIMEOUT_MS);
        (void)braid_run(statement, &result);
        braid_result_free(result);
    }
    braid_statement_close(statement);
    free(text);
    return 0;
}
