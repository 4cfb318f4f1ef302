/*
 * Threads that are born and end all the while: --rate births a second (500), --alive of them at most at a time (16).
 * Each fills and compares a page of its own. "check" waits until those alive have ended: births must be completions.
 */
#include "tracee.h"

#include <semaphore.h>

static atomic_ulong births, completions, refused, wrong;
static atomic_bool quiet, is_quiet;
static sem_t places;

static void *live(void *unused)
{
    uint64_t words[TRACEE_PAGE / sizeof(uint64_t)];
    tracee_fill(words, sizeof words, (uint64_t)tracee_tid());
    struct timespec rest = {0, 2000000};
    if (nanosleep(&rest, NULL) != 0)
        atomic_fetch_add(&wrong, 1);
    atomic_fetch_add(&wrong, tracee_compare(words, sizeof words, (uint64_t)tracee_tid()));
    atomic_fetch_add(&completions, 1);
    sem_post(&places);
    return unused;
}

static void *give_birth(void *argument)
{
    long rate = *(long *)argument;
    struct timespec rest = {0, 1000000000 / rate};
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 64 * 1024);
    for (;;) {
        bool hush = atomic_load(&quiet);
        atomic_store(&is_quiet, hush);
        nanosleep(&rest, NULL);
        if (hush || sem_trywait(&places) != 0)
            continue;
        if (pthread_create(&thread, &attributes, live, NULL) == 0) {
            atomic_fetch_add(&births, 1);
        } else {
            atomic_fetch_add(&refused, 1);
            sem_post(&places);
        }
    }
    return NULL;
}

static bool command(const char *line)
{
    if (strcmp(line, "births") == 0) {
        tracee_ok("births=%lu", atomic_load(&births));
        return true;
    }
    if (strcmp(line, "check") != 0)
        return false;
    int64_t patience = tracee_now_ns() + 10000000000;
    atomic_store(&quiet, true);
    while ((!atomic_load(&is_quiet) || atomic_load(&completions) != atomic_load(&births)) && tracee_now_ns() < patience)
        sched_yield();
    unsigned long born = atomic_load(&births), done = atomic_load(&completions);
    if (born != done || born == 0 || atomic_load(&refused) != 0 || atomic_load(&wrong) != 0)
        tracee_bad("births=%lu completions=%lu refused=%lu wrong=%lu", born, done, atomic_load(&refused), atomic_load(&wrong));
    else
        tracee_ok("births=%lu", born);
    atomic_store(&quiet, false);
    return true;
}

int main(int argc, char **argv)
{
    static long rate;
    rate = tracee_number(argc, argv, "--rate", 500);
    sem_init(&places, 0, (unsigned)tracee_number(argc, argv, "--alive", 16));
    tracee_thread(give_birth, &rate, 0);
    while (atomic_load(&births) == 0)
        sched_yield();
    tracee_ready("rate=%ld", rate);
    tracee_serve(command);
}
