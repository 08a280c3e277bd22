// SPDX-License-Identifier: Apache-2.0
#include "line_editor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>
#include <wchar.h>

#include "completion.h"
#include "interrupt.h"

#ifdef BRAID_HAVE_LIBEDIT
#include <histedit.h>
#else
typedef void EditLine;
typedef void History;
#endif

enum { HISTORY_LINES = 2000 };

struct cli_line_editor {
    braid *db;
    bool is_terminal;
    bool is_line_new;    // nothing of the line has been read yet
    const char *prompt;
    EditLine *edit;      // NULL: lines are just read
    History *history;
    char *history_path;  // NULL: no home folder
    char *buffer;        // of getline
    size_t buffer_bytes;
};

static cli_line_outcome read_plain(cli_line_editor *editor, cli_text *line_out)
{
    if (editor->is_terminal) {
        fputs(editor->prompt, stdout);
        fflush(stdout);
    }
    errno = 0;
    ssize_t size = getline(&editor->buffer, &editor->buffer_bytes, stdin);
    if (size < 0) {
        bool was_interrupted = errno == EINTR;
        clearerr(stdin);
        return was_interrupted ? CLI_LINE_INTERRUPTED : CLI_LINE_END;
    }
    if (size > 0 && editor->buffer[size - 1] == '\n') size--;
    cli_text_append(line_out, editor->buffer, (size_t)size);
    return CLI_LINE_TEXT;
}

#ifdef BRAID_HAVE_LIBEDIT

static char *prompt_of(EditLine *edit)
{
    cli_line_editor *editor;
    el_get(edit, EL_CLIENTDATA, &editor);
    return (char *)(uintptr_t)editor->prompt;
}

// Waits for input; false: Ctrl-C came instead. SIGINT is let in only while waiting, so that none
// can slip in between looking for one and waiting.
static bool wait_for_input(void)
{
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    int ready = 0;
    while (ready <= 0 && !cli_interrupt_pending()) {
        fd_set inputs;
        FD_ZERO(&inputs);
        FD_SET(STDIN_FILENO, &inputs);
        ready = pselect(STDIN_FILENO + 1, &inputs, NULL, NULL, NULL, &before);
        if (ready < 0 && errno != EINTR) break;  // read will tell
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return !cli_interrupt_pending();
}

static bool is_input_waiting(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

// libedit's own reader goes on after Ctrl-C; this one gives the line up. A Ctrl-D typed before
// libedit took the terminal out of line mode stands there as a zero byte.
static int read_character(EditLine *edit, wchar_t *character_out)
{
    mbstate_t state = {0};
    cli_line_editor *editor;
    el_get(edit, EL_CLIENTDATA, &editor);
    bool is_typed_ahead = editor->is_line_new && is_input_waiting();
    editor->is_line_new = false;
    for (;;) {
        char byte;
        if (!wait_for_input()) return -1;
        ssize_t count = read(STDIN_FILENO, &byte, 1);
        if (count <= 0) return (int)count;
        if (byte == '\0' && is_typed_ahead) return 0;
        size_t used = mbrtowc(character_out, &byte, 1, &state);
        if (used == (size_t)-2) continue;
        if (used == (size_t)-1) {
            memset(&state, 0, sizeof state);
            *character_out = L'?';
        } else if (used == 0) {
            *character_out = L'\0';
        }
        return 1;
    }
}

static void list_candidates(const cli_completion *completion)
{
    size_t widest = 0, column = 0;
    for (uint32_t i = 0; i < completion->candidate_count; i++) {
        size_t width = cli_text_width(completion->candidates[i], strlen(completion->candidates[i]));
        if (width > widest) widest = width;
    }
    putchar('\n');
    for (uint32_t i = 0; i < completion->candidate_count; i++) {
        const char *candidate = completion->candidates[i];
        if (column + widest > 78) {
            putchar('\n');
            column = 0;
        }
        printf("%s%*s", candidate, (int)(widest + 2 - cli_text_width(candidate, strlen(candidate))),
               "");
        column += widest + 2;
    }
    putchar('\n');
    fflush(stdout);
}

static unsigned char complete_word(EditLine *edit, int character)
{
    (void)character;
    cli_line_editor *editor;
    el_get(edit, EL_CLIENTDATA, &editor);
    const LineInfo *info = el_line(edit);
    char *line = cli_copy_text(info->buffer, (size_t)(info->lastchar - info->buffer));
    cli_completion completion;
    cli_complete(editor->db, line, (size_t)(info->cursor - info->buffer), &completion);
    size_t kept = completion.word_size;
    unsigned char action = CC_ERROR;
    if (completion.candidate_count > 0) {
        bool is_progress = completion.replacement.size > kept;
        if (is_progress || completion.candidate_count == 1) {
            el_deletestr(edit, (int)kept);
            el_insertstr(edit, completion.replacement.data);
            action = CC_REFRESH;
        } else {
            list_candidates(&completion);
            action = CC_REDISPLAY;
        }
    }
    cli_completion_release(&completion);
    free(line);
    return action;
}

static void editor_open_history(cli_line_editor *editor)
{
    HistEvent event;
    const char *home = getenv("HOME");
    editor->history = history_init();
    if (editor->history == NULL) return;
    history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    history(editor->history, &event, H_SETUNIQUE, 1);
    if (home == NULL || home[0] == '\0') return;
    cli_text path = {0};
    cli_text_format(&path, "%s/.braid_history", home);
    editor->history_path = path.data;
    history(editor->history, &event, H_LOAD, editor->history_path);
}

static void editor_open(cli_line_editor *editor)
{
    editor->edit = el_init("braid", stdin, stdout, stderr);
    if (editor->edit == NULL) return;
    editor_open_history(editor);
    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_PROMPT, prompt_of);
    el_set(editor->edit, EL_EDITOR, "emacs");
    el_set(editor->edit, EL_GETCFN, read_character);
    // The wide form: el_set would make copies of the texts that libedit never frees.
    el_wset(editor->edit, EL_ADDFN, L"braid-complete", L"complete a word", complete_word);
    el_set(editor->edit, EL_BIND, "^I", "braid-complete", NULL);
    el_set(editor->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    if (editor->history != NULL) el_set(editor->edit, EL_HIST, history, editor->history);
    el_source(editor->edit, NULL);  // ~/.editrc
}

static void editor_close(cli_line_editor *editor)
{
    HistEvent event;
    if (editor->edit != NULL) el_end(editor->edit);
    if (editor->history == NULL) return;
    if (editor->history_path != NULL)
        history(editor->history, &event, H_SAVE, editor->history_path);
    history_end(editor->history);
}

static cli_line_outcome read_edited(cli_line_editor *editor, cli_text *line_out)
{
    int size = 0;
    el_resize(editor->edit);
    editor->is_line_new = true;
    const char *line = el_gets(editor->edit, &size);
    if (line == NULL || size <= 0) {
        if (!cli_interrupt_pending()) return CLI_LINE_END;
        putchar('\n');
        fflush(stdout);
        return CLI_LINE_INTERRUPTED;
    }
    if (line[size - 1] == '\n') size--;
    cli_text_append(line_out, line, (size_t)size);
    HistEvent event;
    if (editor->history != NULL && strspn(line_out->data, " \t") < line_out->size)
        history(editor->history, &event, H_ENTER, line_out->data);
    return CLI_LINE_TEXT;
}

#else

static void editor_open(cli_line_editor *editor) { (void)editor; }
static void editor_close(cli_line_editor *editor) { (void)editor; }

static cli_line_outcome read_edited(cli_line_editor *editor, cli_text *line_out)
{
    return read_plain(editor, line_out);
}

#endif

cli_line_editor *cli_line_editor_new(braid *db)
{
    cli_line_editor *editor = cli_allocate(sizeof *editor);
    editor->db = db;
    editor->is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (editor->is_terminal) editor_open(editor);
    return editor;
}

void cli_line_editor_free(cli_line_editor *editor)
{
    if (editor == NULL) return;
    editor_close(editor);
    free(editor->history_path);
    free(editor->buffer);
    free(editor);
}

bool cli_line_editor_is_terminal(const cli_line_editor *editor)
{
    return editor->is_terminal;
}

cli_line_outcome cli_line_editor_read(cli_line_editor *editor, const char *prompt,
                                      cli_text *line_out)
{
    cli_text_reset(line_out);
    editor->prompt = prompt;
    return editor->edit != NULL ? read_edited(editor, line_out) : read_plain(editor, line_out);
}
