/*
 * A thread in vfork(2), whose child does not end: it stands in the kernel and stops for nobody. "check" is BAD where the thread
 * came back, or the child has gone; "release" ends the child, and then the thread has to come back.
 */
#include "guarded.h"

#include <sys/prctl.h>

static atomic_int child;
static atomic_uint returned;
static int release_fd[2];

static void *vfork_and_wait(void *unused)
{
    pid_t made = vfork();
    if (made < 0)
        die("vfork");
    if (made == 0) {
        char byte;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        atomic_store(&child, (int)syscall(SYS_getpid));
        while (syscall(SYS_read, release_fd[0], &byte, 1) != 1)
            ;
        _exit(0);
    }
    int status;
    waitpid(made, &status, 0);
    atomic_store(&returned, 1);
    tracee_futex(&returned, FUTEX_WAKE, 1, NULL);
    return unused;
}

static bool command(const char *line)
{
    if (strcmp(line, "release") == 0) {
        if (write(release_fd[1], "", 1) != 1)
            die("write");
        tracee_await_change(&returned, 0);
        tracee_ok("returned=1");
        return true;
    }
    if (strcmp(line, "check") == 0 && (atomic_load(&returned) != 0 || kill(atomic_load(&child), 0) != 0)) {
        tracee_bad("returned=%u", atomic_load(&returned));
        return true;
    }
    return guarded_command(line);
}

int main(int argc, char **argv)
{
    ranges_create(argc, argv);
    sleepers_start(2);
    if (pipe2(release_fd, O_CLOEXEC) != 0)
        die("pipe");
    tracee_thread(vfork_and_wait, NULL, 0);
    while (atomic_load(&child) == 0)
        sched_yield();
    guarded_serve_with(command);
}
