// file.h - the only door to the file system.
//
// Positional reads and writes, durability, folders, locks. Every failure names the path, the
// offset and what the system said; a full disk is BR_FULL. Tests make the n-th operation fail
// through br_file_hook.
//
// Ownership: br_file is opaque and owns its descriptor. Threads: a br_file may be read by many
// threads, and written by many as long as their ranges are apart.
// SPDX-License-Identifier: Apache-2.0
#ifndef BR_BASE_FILE_H
#define BR_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

// Lets a test see each operation before it happens and fail it: return an errno value, or 0 to go
// on. NULL function: no hook. The hook is part of the environment a caller passes, not a global.
// Operations: open read write size sync lock remove "make folder" "sync folder".
typedef struct br_file_hook {
    int (*before)(void *context, const char *operation, const char *path);
    void *context;
} br_file_hook;

typedef struct br_file br_file;

typedef enum br_file_mode {
    BR_FILE_READ,
    BR_FILE_CREATE,      // for reading and writing; emptied when it exists
    BR_FILE_READ_WRITE,  // kept as it is, made when it is missing
} br_file_mode;

BR_CHECKED br_status br_file_open(const char *path, br_file_mode mode, const br_file_hook *hook,
                                  br_file **file_out, br_error *err);
// A file without a name in `folder`, for reading and writing: it is gone when it is closed or the
// process ends, however that happens.
BR_CHECKED br_status br_file_open_temporary(const char *folder, const br_file_hook *hook,
                                            br_file **file_out, br_error *err);
void br_file_close(br_file *file);  // NULL is a no-op
const char *br_file_path(const br_file *file);
int br_file_descriptor(const br_file *file);  // for io_ring only, like the next two:
// br_file_read is these two in a row: the question to the hook, and the read.
BR_CHECKED br_status br_file_check_read(br_file *file, uint64_t offset, size_t size_bytes,
                                        br_error *err);
BR_CHECKED br_status br_file_read_unchecked(br_file *file, uint64_t offset, void *bytes,
                                            size_t size_bytes, br_error *err);

// All of the bytes or an error; a short file is BR_CORRUPT.
BR_CHECKED br_status br_file_read(br_file *file, uint64_t offset, void *bytes, size_t size_bytes,
                                  br_error *err);
BR_CHECKED br_status br_file_write(br_file *file, uint64_t offset, const void *bytes,
                                   size_t size_bytes, br_error *err);
BR_CHECKED br_status br_file_size(br_file *file, uint64_t *size_out, br_error *err);
BR_CHECKED br_status br_file_sync(br_file *file, br_error *err);
// Takes an exclusive advisory lock that ends with the file or the process (OFD lock);
// *locked_out is false when somebody else has it.
BR_CHECKED br_status br_file_try_lock(br_file *file, bool *locked_out, br_error *err);

// A folder that exists already is no failure.
BR_CHECKED br_status br_folder_make(const char *path, const br_file_hook *hook, br_error *err);
BR_CHECKED br_status br_folder_sync(const char *path, const br_file_hook *hook, br_error *err);
// Calls `visit` with the name of each entry but . and ..; stops at the first failure.
BR_CHECKED br_status br_folder_list(const char *path,
                                    br_status (*visit)(void *context, const char *name,
                                                       br_error *err),
                                    void *context, br_error *err);
BR_CHECKED br_status br_file_remove(const char *path, const br_file_hook *hook, br_error *err);
BR_CHECKED br_status br_folder_remove(const char *path, br_error *err);  // with all it holds
bool br_file_exists(const char *path);
// Identity of the file behind a path, to notice that it was replaced. False: no such file.
bool br_file_identity(const char *path, uint64_t *device_out, uint64_t *inode_out);

#endif
