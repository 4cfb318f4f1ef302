/* Executes itself again every --every-ms (20) from a thread that is not the leader, and counts the generations. */
#include "tracee.h"

#include <poll.h>

static pthread_mutex_t answering = PTHREAD_MUTEX_INITIALIZER;
static long generation, every_ms;

static void *execute_again(void *unused)
{
    char number[32], interval[32];
    struct timespec rest = {every_ms / 1000, every_ms % 1000 * 1000000};
    nanosleep(&rest, NULL);
    snprintf(number, sizeof number, "%ld", generation + 1);
    snprintf(interval, sizeof interval, "%ld", every_ms);
    pthread_mutex_lock(&answering); /* never in the middle of an answer */
    execl("/proc/self/exe", "execer", "--generation", number, "--every-ms", interval, (char *)NULL);
    die("exec");
    return unused;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    tracee_ok("generation=%ld", generation);
    return true;
}

int main(int argc, char **argv)
{
    char line[256];
    generation = tracee_number(argc, argv, "--generation", 0);
    every_ms = tracee_number(argc, argv, "--every-ms", 20);
    if (generation == 0)
        tracee_ready("every_ms=%ld", every_ms);
    tracee_thread(execute_again, NULL, 0);
    for (;;) {
        struct pollfd commands = {STDIN_FILENO, POLLIN, 0};
        if (poll(&commands, 1, -1) != 1)
            tracee_interrupted++;
        pthread_mutex_lock(&answering);
        tracee_read_line(line, sizeof line);
        if (strcmp(line, "exit") == 0)
            _exit(0);
        if (!command(line))
            tracee_bad("unknown command %s", line);
        pthread_mutex_unlock(&answering);
    }
}
