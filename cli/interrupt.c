// SPDX-License-Identifier: Apache-2.0
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "cli.h"

// A signal handler gets no argument: these are the program's only mutable globals.
static braid *volatile interrupt_db;
static volatile sig_atomic_t interrupt_count;
static volatile sig_atomic_t interrupt_at_prompt;

static void handle_interrupt(int signal_number)
{
    (void)signal_number;
    interrupt_count = interrupt_count + 1;
    if (interrupt_count > 1 && !interrupt_at_prompt) _exit(CLI_INTERRUPTED);
    braid *db = interrupt_db;
    if (db != NULL) braid_interrupt(db);
}

void cli_interrupt_install(braid *db, bool at_prompt)
{
    interrupt_db = db;
    interrupt_count = 0;
    interrupt_at_prompt = at_prompt;
    struct sigaction action = {.sa_handler = handle_interrupt};  // no SA_RESTART: reads return
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

void cli_interrupt_set_handle(braid *db)
{
    interrupt_db = db;
}

void cli_interrupt_remove(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    interrupt_db = NULL;
}

bool cli_interrupt_pending(void)
{
    return interrupt_count > 0;
}

void cli_interrupt_clear(void)
{
    interrupt_count = 0;
}
