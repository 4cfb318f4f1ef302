/*
 * one_tracer PID: the least that a stop of all threads by one tracer thread costs. Seizes every thread, then, timed,
 * interrupts all, awaits all, reads NT_PRSTATUS and NT_X86_XSTATE of each and detaches. Prints the time from the first
 * interrupt to the last detach and that between the first and the last stop.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define MOST_THREADS 65536
#define LARGEST_SET 16384

static pid_t tids[MOST_THREADS];
static size_t count;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void seize_all(const char *pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        fail(path);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL && count < MOST_THREADS;) {
        tids[count] = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tids[count] != 0 && ptrace(PTRACE_SEIZE, tids[count++], NULL, NULL) != 0)
            fail("PTRACE_SEIZE");
    }
    closedir(tasks);
}

static void read_registers(pid_t tid, char *buffer)
{
    static const int sets[] = {NT_PRSTATUS, NT_X86_XSTATE};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct iovec room = {buffer, LARGEST_SET};
        if (ptrace(PTRACE_GETREGSET, tid, (void *)(intptr_t)sets[i], &room) != 0)
            fail("PTRACE_GETREGSET");
    }
}

int main(int argc, char **argv)
{
    static char buffer[LARGEST_SET];
    if (argc != 2)
        return 2;
    seize_all(argv[1]);
    int64_t began = now_ns(), first = 0, last = 0;
    for (size_t i = 0; i < count; i++)
        if (ptrace(PTRACE_INTERRUPT, tids[i], NULL, NULL) != 0)
            fail("PTRACE_INTERRUPT");
    for (size_t i = 0; i < count; i++) {
        int status;
        if (waitpid(tids[i], &status, __WALL) != tids[i])
            fail("waitpid");
        last = now_ns();
        first = i == 0 ? last : first;
    }
    for (size_t i = 0; i < count; i++)
        read_registers(tids[i], buffer);
    for (size_t i = 0; i < count; i++)
        if (ptrace(PTRACE_DETACH, tids[i], NULL, NULL) != 0)
            fail("PTRACE_DETACH");
    printf("threads=%zu pause_us=%ld skew_us=%ld\n", count, (long)((now_ns() - began) / 1000), (long)((last - first) / 1000));
    return 0;
}
