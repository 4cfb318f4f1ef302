/* Has --mib of memory and two sleepers, and exits with status 7 --delay-ms after READY, or at once on "go". */
#include "ranges.h"
#include "sleepers.h"

static void *exit_later(void *argument)
{
    long delay_ms = *(long *)argument;
    struct timespec rest = {delay_ms / 1000, delay_ms % 1000 * 1000000};
    nanosleep(&rest, NULL);
    _exit(7);
}

static bool command(const char *line)
{
    if (strcmp(line, "go") == 0)
        _exit(7);
    if (strcmp(line, "check") != 0)
        return false;
    tracee_ok("alive");
    return true;
}

int main(int argc, char **argv)
{
    static char range_text[2048], sleeper_text[4096];
    static long delay_ms;
    ranges_create(argc, argv);
    sleepers_start(2);
    ranges_print(range_text, sizeof range_text);
    sleepers_print(sleeper_text, sizeof sleeper_text);
    delay_ms = tracee_number(argc, argv, "--delay-ms", -1);
    tracee_ready("%s%s", range_text, sleeper_text);
    if (delay_ms >= 0)
        tracee_thread(exit_later, &delay_ms, 0);
    tracee_serve(command);
}
