/* The rest of a program that only differs in how it guards itself: memory, two sleepers, the protocol. */
#ifndef GUARDED_H
#define GUARDED_H

#include "ranges.h"
#include "sleepers.h"

static bool guarded_command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    size_t populated, wrong = ranges_wrong(&populated) + sleepers_wrong();
    if (wrong + populated != 0)
        tracee_bad("wrong=%zu populated_pages=%zu", wrong, populated);
    else
        tracee_ok("sleepers=%zu", sleeper_count);
    return true;
}

/* For a program that has more to say than guarded_command. */
static inline void guarded_serve_with(tracee_command command)
{
    static char range_text[2048], sleeper_text[4096];
    ranges_print(range_text, sizeof range_text);
    sleepers_print(sleeper_text, sizeof sleeper_text);
    tracee_ready("%s%s", range_text, sleeper_text);
    tracee_serve(command);
}

static inline void guarded_serve(void)
{
    guarded_serve_with(guarded_command);
}

#endif
