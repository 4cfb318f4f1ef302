/* The main thread is gone (a zombie leader); two sleepers and a thread that obeys stdin go on. */
#include "ranges.h"
#include "sleepers.h"

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    size_t populated, wrong = ranges_wrong(&populated) + sleepers_wrong();
    if (wrong != 0)
        tracee_bad("wrong=%zu", wrong);
    else
        tracee_ok("sleepers=%zu", sleeper_count);
    return true;
}

static void *serve(void *leader)
{
    static char range_text[2048], sleeper_text[4096];
    pthread_join(*(pthread_t *)leader, NULL);
    ranges_print(range_text, sizeof range_text);
    sleepers_print(sleeper_text, sizeof sleeper_text);
    tracee_ready("%s%s server=%d", range_text, sleeper_text, tracee_tid());
    tracee_serve(command);
    return NULL;
}

int main(int argc, char **argv)
{
    static pthread_t leader;
    leader = pthread_self();
    ranges_create(argc, argv);
    sleepers_start(2);
    tracee_thread(serve, &leader, 0);
    pthread_exit(NULL);
}
