/*
 * One thread in each call of signal(7) that a stop makes fail with EINTR, or that the kernel restarts with what is left of
 * its time, each with the same timeout (--ms, 4000). Nothing wakes them. "age" says for how long they have waited;
 * "timeouts" awaits all and is BAD where one did not return what it does when its time is up, early, or later than
 * --slack ms (600) after its time, or where a socket's SO_RCVTIMEO or SO_SNDTIMEO is not what it was; "survived" asks for
 * the same at any time; "interrupted" is BAD where one did not return EINTR, or its thread did not run the handler of
 * SIGUSR1 exactly once. "epoll_inline" has its system call in line and checks that the kernel's promise is kept: all
 * registers but rax, rcx and r11 as they were; of it no time is asked.
 */
#include "timeouts.h"

static atomic_bool go;
static __thread unsigned handled;
static int64_t begun;

static void on_signal(int signal) { (void)signal; handled++; }

static void *wait_in_call(void *argument)
{
    struct call *c = argument;
    prctl(PR_SET_NAME, c->name);
    if (c->has_mask) {
        sigset_t interrupting;
        sigemptyset(&interrupting);
        sigaddset(&interrupting, SIGUSR1);
        pthread_sigmask(SIG_BLOCK, &interrupting, NULL);
    }
    while (!atomic_load(&go))
        sched_yield();
    atomic_store((atomic_int *)&c->tid, tracee_tid());
    int64_t start = tracee_now_ns();
    long result = c->run(c);
    c->failure = result < 0 ? errno : 0;
    c->nanoseconds = tracee_now_ns() - start;
    c->result = result;
    c->handled = handled;
    atomic_store(&c->returned, true);
    return NULL;
}

static void await_returns(void)
{
    int64_t patience = tracee_now_ns() + (3 * timeout_ms + 10000) * 1000000;
    for (int i = 0; i < call_count; i++)
        while (!calls[i].unsupported && !atomic_load(&calls[i].returned) && tracee_now_ns() < patience)
            usleep(5000);
    for (int i = 0; i < call_count; i++)
        if (calls[i].open == open_semaphore && !calls[i].unsupported)
            semctl(calls[i].fd, 0, IPC_RMID);
}

enum ending { in_time, whenever, interrupted };

/* EALREADY: a connect that is made again joins the attempt that goes on, and that is what it says when its time is up. */
static bool is_right(const struct call *c, enum ending ending)
{
    int64_t milliseconds = c->nanoseconds / 1000000;
    if (!atomic_load(&c->returned) || !has_its_timeout(c))
        return false;
    if (ending == interrupted)
        return c->result == -1 && c->failure == EINTR && c->handled == 1;
    if (c->result != (c->error != 0 ? -1 : 0)
        || (c->failure != c->error && !(c->error == EINPROGRESS && c->failure == EALREADY)))
        return false;
    return milliseconds >= timeout_ms - 20 /* sockets count in ticks */
        && (ending == whenever || c->is_untimed || milliseconds <= timeout_ms + slack_ms);
}

static void judge(enum ending ending)
{
    char wrong[4096] = "";
    size_t length = 0;
    int64_t latest = 0;
    await_returns();
    for (int i = 0; i < call_count; i++) {
        const struct call *c = &calls[i];
        if (!c->unsupported && !is_right(c, ending))
            length += (size_t)snprintf(wrong + length, sizeof wrong - length, " %s:ms=%ld,result=%ld,errno=%d,handled=%u,kept=%d",
                                       c->name, (long)(c->nanoseconds / 1000000), c->result, c->failure, c->handled,
                                       has_its_timeout(c));
        if (!c->is_untimed && c->nanoseconds > latest)
            latest = c->nanoseconds;
    }
    if (length != 0)
        tracee_bad("%s", wrong);
    else
        tracee_ok("calls=%d latest=%ld", call_count, (long)(latest / 1000000));
}

static bool command(const char *line)
{
    if (strcmp(line, "age") == 0)
        tracee_ok("ms=%ld", (long)((tracee_now_ns() - begun) / 1000000));
    else if (strcmp(line, "timeouts") == 0)
        judge(in_time);
    else if (strcmp(line, "survived") == 0)
        judge(whenever);
    else if (strcmp(line, "interrupted") == 0)
        judge(interrupted);
    else
        return false;
    return true;
}

static bool is_blocked(const struct call *c)
{
    char path[64], state = 'R';
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", c->tid);
    FILE *stat = fopen(path, "r");
    if (stat != NULL) {
        if (fscanf(stat, "%*d %*s %c", &state) != 1)
            state = 'R';
        fclose(stat);
    }
    return state == 'S';
}

int main(int argc, char **argv)
{
    char unsupported[256] = "", tids[512] = "";
    struct sigaction action = {.sa_handler = on_signal};
    timeout_ms = tracee_number(argc, argv, "--ms", timeout_ms);
    slack_ms = tracee_number(argc, argv, "--slack", slack_ms);
    timeout = (struct timespec){timeout_ms / 1000, timeout_ms % 1000 * 1000000};
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &awaited, NULL);
    for (int i = 0; i < call_count; i++) {
        calls[i].open(&calls[i]);
        if (calls[i].unsupported)
            snprintf(unsupported + strlen(unsupported), sizeof unsupported - strlen(unsupported), ",%s", calls[i].name);
        else
            tracee_thread(wait_in_call, &calls[i], 64 * 1024);
    }
    begun = tracee_now_ns();
    atomic_store(&go, true);
    for (int i = 0; i < call_count; i++) {
        while (!calls[i].unsupported && (atomic_load((atomic_int *)&calls[i].tid) == 0 || !is_blocked(&calls[i])))
            usleep(1000);
        if (!calls[i].unsupported)
            snprintf(tids + strlen(tids), sizeof tids - strlen(tids), ",%d", calls[i].tid);
    }
    tracee_ready("tids=%s unsupported=%s", tids + 1, unsupported[0] == ',' ? unsupported + 1 : "");
    tracee_serve(command);
}
