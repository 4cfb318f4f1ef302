/*
 * --idle threads (700) that wait for good, and --makers threads (4) of which each makes a thread, waits for its end and makes the
 * next, as fast as it can. "lasting" lists up to 32 of the idle ones, from all over. "births" says how many there were; "check"
 * fails where a thread was not its own or a maker's join failed.
 */
#include "tracee.h"

static pid_t *idle_tids;
static atomic_uint ready;
static atomic_ulong births, wrong;

static void *idle(void *argument)
{
    static atomic_uint never;
    *(pid_t *)argument = tracee_tid();
    atomic_fetch_add(&ready, 1);
    tracee_await_change(&never, 0);
    return NULL;
}

static void *live(void *unused)
{
    volatile uint64_t words[64];
    uint64_t tid = (uint64_t)tracee_tid();
    for (size_t i = 0; i < 64; i++)
        words[i] = tracee_word(i, tid);
    for (size_t i = 0; i < 64; i++)
        if (words[i] != tracee_word(i, tid))
            atomic_fetch_add(&wrong, 1);
    atomic_fetch_add(&births, 1);
    return unused;
}

static void *make(void *unused)
{
    for (;;)
        if (pthread_join(tracee_thread(live, NULL, 16 * 1024), NULL) != 0)
            atomic_fetch_add(&wrong, 1);
    return unused;
}

static bool command(const char *line)
{
    if (strcmp(line, "births") == 0)
        tracee_ok("births=%lu", atomic_load(&births));
    else if (strcmp(line, "check") != 0)
        return false;
    else if (atomic_load(&wrong) != 0)
        tracee_bad("wrong=%lu", atomic_load(&wrong));
    else
        tracee_ok("births=%lu", atomic_load(&births));
    return true;
}

int main(int argc, char **argv)
{
    static char lasting[1024];
    size_t count = (size_t)tracee_number(argc, argv, "--idle", 700), length = 0, step = count / 32 + 1;
    idle_tids = calloc(count, sizeof *idle_tids);
    for (size_t i = 0; i < count; i++)
        tracee_thread(idle, &idle_tids[i], 16 * 1024);
    while (atomic_load(&ready) != count)
        sched_yield();
    for (size_t i = 0; i < count; i += step)
        length += (size_t)snprintf(lasting + length, sizeof lasting - length, "%s%d", i == 0 ? "" : ",", idle_tids[i]);
    for (long i = tracee_number(argc, argv, "--makers", 4); i > 0; i--)
        tracee_thread(make, NULL, 0);
    tracee_ready("lasting=%s", lasting);
    tracee_serve(command);
}
