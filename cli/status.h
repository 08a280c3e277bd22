// status.h - braid_status_json for people.
//
// Threads: one thread. Errors: returns the status of the library; the message is in the handle.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_STATUS_H
#define BRAID_CLI_STATUS_H

#include <stdbool.h>
#include <stdio.h>

#include "braid.h"

braid_status cli_print_status(braid *db, bool as_json, FILE *file);

#endif
