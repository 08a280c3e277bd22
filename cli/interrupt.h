// interrupt.h - Ctrl-C.
//
// From cli_interrupt_install on, SIGINT stops what runs on the handle and is remembered until
// cli_interrupt_clear. Where nobody waits at a prompt, a second SIGINT ends the program at once:
// nothing is lost by that, as by any other crash.
//
// Threads: one thread; the signal handler stores to flags of its own and calls braid_interrupt.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_INTERRUPT_H
#define BRAID_CLI_INTERRUPT_H

#include <stdbool.h>

#include "braid.h"

void cli_interrupt_install(braid *db, bool at_prompt);  // `db` may be NULL
void cli_interrupt_set_handle(braid *db);  // keeps what was pressed before
void cli_interrupt_remove(void);  // before the handle is closed
bool cli_interrupt_pending(void);
void cli_interrupt_clear(void);

#endif
