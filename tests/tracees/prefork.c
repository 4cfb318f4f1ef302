/*
 * --workers processes (2) forked after the memory was filled, as prefork servers do: its pages are shared until somebody writes.
 * "check" has each process compare its memory, and is BAD where this one has more pages of its own than at READY: a reader
 * that copies shared pages costs the host that memory.
 */
#include "guarded.h"

#include <sys/prctl.h>

#define MOST_GROWTH_KIB 1024
#define MOST_WORKERS 16

static int question[MOST_WORKERS][2], answer[MOST_WORKERS][2];
static long worker_count, own_at_start;

static long own_kib(void)
{
    char text[4096];
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    long sum = 0; /* a page that a reader had the kernel copy is clean: nobody has written to it */
    for (const char *line = strstr(text, "Private_"); line != NULL; line = strstr(line + 1, "Private_")) {
        if (strncmp(line, "Private_Hugetlb", strlen("Private_Hugetlb")) != 0)
            sum += strtol(strchr(line, ':') + 1, NULL, 10);
    }
    return sum;
}

static void work(int from, int to)
{
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(from, &byte, 1) == 1) {
        size_t populated;
        byte = ranges_wrong(&populated) == 0;
        if (write(to, &byte, 1) != 1)
            break;
    }
    _exit(1);
}

static bool command(const char *line)
{
    if (strcmp(line, "check") == 0) {
        long own = own_kib();
        if (own > own_at_start + MOST_GROWTH_KIB) {
            tracee_bad("own_kib=%ld at_start=%ld", own, own_at_start);
            return true;
        }
        for (long i = 0; i < worker_count; i++) {
            char byte = 0;
            if (write(question[i][1], "", 1) != 1 || read(answer[i][0], &byte, 1) != 1 || byte != 1) {
                tracee_bad("worker %ld is not well", i);
                return true;
            }
        }
    }
    return guarded_command(line);
}

int main(int argc, char **argv)
{
    ranges_create(argc, argv);
    worker_count = tracee_number(argc, argv, "--workers", 2);
    for (long i = 0; i < worker_count && i < MOST_WORKERS; i++) {
        if (pipe2(question[i], O_CLOEXEC) != 0 || pipe2(answer[i], O_CLOEXEC) != 0)
            die("pipe");
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0)
            work(question[i][0], answer[i][1]);
    }
    sleepers_start(2);
    own_at_start = own_kib();
    guarded_serve_with(command);
}
