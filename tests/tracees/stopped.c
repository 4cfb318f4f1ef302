/* Stops itself by SIGSTOP once it is ready (a group-stop); counts the SIGCONTs that it saw. */
#include "ranges.h"
#include "sleepers.h"

static volatile sig_atomic_t continued;

static void on_continue(int signal)
{
    (void)signal;
    continued++;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    size_t populated, wrong = ranges_wrong(&populated) + sleepers_wrong();
    if (wrong != 0)
        tracee_bad("wrong=%zu continued=%d", wrong, continued);
    else
        tracee_ok("continued=%d", continued);
    return true;
}

int main(int argc, char **argv)
{
    static char range_text[2048], sleeper_text[4096];
    struct sigaction action = {.sa_handler = on_continue, .sa_flags = SA_RESTART};
    sigaction(SIGCONT, &action, NULL);
    ranges_create(argc, argv);
    sleepers_start(2);
    ranges_print(range_text, sizeof range_text);
    sleepers_print(sleeper_text, sizeof sleeper_text);
    tracee_ready("%s%s", range_text, sleeper_text);
    raise(SIGSTOP);
    tracee_serve(command);
}
