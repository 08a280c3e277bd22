// byte_source.h - the bytes of a file, decompressed where it is zstd.
//
// zstd is told by its first four bytes, not by the name. Ownership: the path is borrowed.
// Threads: one thread. Errors: are printed where they are found.
// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CLI_BYTE_SOURCE_H
#define BRAID_CLI_BYTE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cli_byte_source cli_byte_source;

cli_byte_source *cli_byte_source_open(const char *path);  // NULL: not, and why is printed
void cli_byte_source_close(cli_byte_source *source);
// Up to size_max bytes, at least one unless the file is at its end; -1: failure, printed.
ptrdiff_t cli_byte_source_read(cli_byte_source *source, char *bytes_out, size_t size_max);
bool cli_byte_source_can_repeat(const cli_byte_source *source);  // a file, not a pipe
double cli_byte_source_progress(const cli_byte_source *source);  // 0 to 1; 0 where nobody knows

#endif
