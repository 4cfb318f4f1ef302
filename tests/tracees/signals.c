/*
 * Signals that wait and signals that come all the while.
 *
 * Pending from READY on, and again after each check: SIGUSR1 for the process, SIGUSR2 for the main thread, five
 * SIGRTMIN+1 with the values 1 to 5. "check" unblocks them: each must come exactly once, the queued ones in order.
 * With --storm N, a thread sends another N SIGRTMIN+2 a second; a check waits until as many were handled as sent.
 */
#include "tracee.h"

#define QUEUED 5

static volatile sig_atomic_t user1, user2, queued, disorder;
static atomic_ulong storm_sent, storm_handled;
static atomic_bool quiet, is_quiet;
static sigset_t waiting;
static pthread_t storm_receiver;

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)context;
    if (signal == SIGUSR1)
        user1++;
    else if (signal == SIGUSR2)
        user2++;
    else if (info->si_value.sival_int != ++queued)
        disorder++;
}

static void on_storm(int signal)
{
    (void)signal;
    atomic_fetch_add(&storm_handled, 1);
}

static void *receive_storm(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void *send_storm(void *argument)
{
    long rate = *(long *)argument;
    struct timespec rest = {0, 1000000000 / rate};
    for (;;) {
        bool hush = atomic_load(&quiet);
        atomic_store(&is_quiet, hush);
        if (!hush && pthread_sigqueue(storm_receiver, SIGRTMIN + 2, (union sigval){0}) == 0)
            atomic_fetch_add(&storm_sent, 1);
        nanosleep(&rest, NULL);
    }
    return NULL;
}

static void send_waiting(void)
{
    user1 = user2 = queued = disorder = 0;
    kill(getpid(), SIGUSR1);
    raise(SIGUSR2);
    for (int i = 1; i <= QUEUED; i++)
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){i});
}

static bool command(const char *line)
{
    if (strcmp(line, "check") != 0)
        return false;
    int64_t patience = tracee_now_ns() + 10000000000;
    int early = user1 + user2 + queued;
    pthread_sigmask(SIG_UNBLOCK, &waiting, NULL);
    pthread_sigmask(SIG_BLOCK, &waiting, NULL);
    atomic_store(&quiet, true);
    while (storm_receiver != 0 && tracee_now_ns() < patience &&
           (!atomic_load(&is_quiet) || atomic_load(&storm_sent) != atomic_load(&storm_handled)))
        sched_yield();
    unsigned long sent = atomic_load(&storm_sent), handled = atomic_load(&storm_handled);
    if (early != 0 || user1 != 1 || user2 != 1 || queued != QUEUED || disorder != 0 || sent != handled)
        tracee_bad("early=%d usr1=%d usr2=%d queued=%d disorder=%d storm_sent=%lu storm_handled=%lu", early, user1, user2,
                   queued, disorder, sent, handled);
    else
        tracee_ok("queued=%d storm=%lu", queued, sent);
    send_waiting();
    atomic_store(&quiet, false);
    return true;
}

int main(int argc, char **argv)
{
    static long rate;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigaction storm = {.sa_handler = on_storm, .sa_flags = SA_RESTART};
    sigemptyset(&waiting);
    sigaddset(&waiting, SIGUSR1);
    sigaddset(&waiting, SIGUSR2);
    sigaddset(&waiting, SIGRTMIN + 1);
    pthread_sigmask(SIG_BLOCK, &waiting, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGRTMIN + 1, &action, NULL);
    sigaction(SIGRTMIN + 2, &storm, NULL);
    rate = tracee_number(argc, argv, "--storm", 0);
    if (rate > 0) {
        storm_receiver = tracee_thread(receive_storm, NULL, 0);
        tracee_thread(send_storm, &rate, 0);
    }
    send_waiting();
    tracee_ready("usr1=%d usr2=%d queued=%d:%d", SIGUSR1, SIGUSR2, SIGRTMIN + 1, QUEUED);
    tracee_serve(command);
}
