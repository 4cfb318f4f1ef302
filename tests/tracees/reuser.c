/*
 * Makes processes that have one pid after the other (clone3 with set_tid, exactly what a reuse of that number is): one of uid
 * 1000 whose memory says ALLOWED, and one of uid 1001 whose memory says FORBIDDEN. "begin" makes the first, "swap US" kills it
 * after so many microseconds and makes the other in its place, "end" kills that. It answers with the pid.
 */
#include "tracee.h"

#include <linux/sched.h>
#include <sys/prctl.h>

#define PIECES 64

static pid_t number;
static pid_t child;

static void live(uid_t uid, const char *word)
{
    size_t bytes = PIECES * TRACEE_PAGE;
    char *memory = tracee_map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (size_t at = 0; at + 32 <= bytes; at += 32)
        snprintf(memory + at, 32, "CANARY-%s", word);
    if (syscall(SYS_setresgid, uid, uid, uid) != 0 || syscall(SYS_setresuid, uid, uid, uid) != 0)
        _exit(71);
    prctl(PR_SET_DUMPABLE, 1);
    for (;;)
        pause();
}

static void make(uid_t uid, const char *word)
{
    for (int tries = 0; tries < 1000; tries++) {
        pid_t wanted[1] = {number};
        struct clone_args arguments = {
            .exit_signal = SIGCHLD,
            .set_tid = number == 0 ? 0 : (uintptr_t)wanted,
            .set_tid_size = number == 0 ? 0 : 1,
        };
        child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
        if (child == 0)
            live(uid, word);
        if (child > 0) {
            number = child;
            return;
        }
        if (errno != EEXIST) /* somebody else took the number in between: wait until it is free */
            die("clone3");
        usleep(1000);
    }
    die("clone3: the number stays taken");
}

static void end(void)
{
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = 0;
    }
}

int main(void)
{
    char line[256];
    tracee_ready("pages=%d", PIECES);
    for (;;) {
        tracee_read_line(line, sizeof line);
        if (strcmp(line, "exit") == 0) {
            end();
            _exit(0);
        }
        if (strcmp(line, "begin") == 0) {
            make(1000, "ALLOWED");
        } else if (strncmp(line, "swap ", 5) == 0) {
            usleep((useconds_t)strtol(line + 5, NULL, 10));
            end();
            make(1001, "FORBIDDEN");
        } else {
            end();
        }
        tracee_ok("pid=%d", (int)number);
    }
}
