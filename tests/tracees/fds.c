/* Counts what a capture could leave behind in it, from the inside: BAD on any difference from how it was at READY. */
#include "tracee.h"

#include <dirent.h>
#include <sched.h>

#define THREADS 4

struct facts {
    char text[8192];
};

static struct facts at_start;
static pid_t tids[THREADS + 1];
static atomic_uint never;

static size_t count_entries(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        die(path);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

/* The heap and the stack may grow on their own; everything else is counted. */
static size_t count_vmas(void)
{
    char line[512];
    size_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    if (maps == NULL)
        die("/proc/self/maps");
    while (fgets(line, sizeof line, maps) != NULL)
        count += strstr(line, "[heap]") == NULL;
    fclose(maps);
    return count;
}

static void add_status_lines(pid_t tid, struct facts *facts)
{
    static const char *const wanted[] = {"SigBlk:", "SigIgn:", "SigCgt:", "SigPnd:", "Cpus_allowed:", "TracerPid:", "Seccomp:"};
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
    FILE *status = fopen(path, "r");
    if (status == NULL)
        die(path);
    while (fgets(line, sizeof line, status) != NULL)
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0) {
                line[strcspn(line, "\n")] = ' ';
                strncat(facts->text, line, sizeof facts->text - strlen(facts->text) - 1);
            }
    fclose(status);
}

static void take(struct facts *facts)
{
    int status;
    pid_t waited = wait4(-1, &status, __WALL | WNOHANG, NULL);
    snprintf(facts->text, sizeof facts->text, "fds=%zu vmas=%zu tasks=%zu children=%d ", count_entries("/proc/self/fd"),
             count_vmas(), count_entries("/proc/self/task"), waited < 0 && errno == ECHILD ? 0 : 1);
    for (int i = 0; i <= THREADS; i++) {
        struct sched_param parameters;
        char policy[64];
        sched_getparam(tids[i], &parameters);
        snprintf(policy, sizeof policy, "tid=%d policy=%d:%d ", tids[i], sched_getscheduler(tids[i]), parameters.sched_priority);
        strncat(facts->text, policy, sizeof facts->text - strlen(facts->text) - 1);
        add_status_lines(tids[i], facts);
    }
    for (char *tab = facts->text; (tab = strchr(tab, '\t')) != NULL;)
        *tab = ' ';
}

static void *sleep_for_ever(void *slot)
{
    *(volatile pid_t *)slot = tracee_tid();
    for (;;)
        tracee_futex(&never, FUTEX_WAIT, 0, NULL);
    return NULL;
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    static struct facts now;
    take(&now);
    if (strcmp(now.text, at_start.text) != 0)
        tracee_bad("was %s|| is %s", at_start.text, now.text);
    else
        tracee_ok("%.60s", now.text);
    return true;
}

int main(void)
{
    tids[0] = tracee_tid();
    for (int i = 1; i <= THREADS; i++) {
        tracee_thread(sleep_for_ever, &tids[i], 0);
        while (*(volatile pid_t *)&tids[i] == 0)
            sched_yield();
    }
    take(&at_start); /* once for what the C library maps and opens on its own */
    take(&at_start);
    tracee_ready("threads=%d", THREADS + 1);
    tracee_serve(command);
}
