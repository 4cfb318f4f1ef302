/*
 * Becomes another program, or another user, and back, every --every-us (500), for ever. Its memory says what it is while it
 * surely is that: with --exec PATH it executes that program, and is STATE-<name> by the program's file name; without, it is
 * STATE-root between two changes of its ids, STATE-user while it is uid 1000, and nothing while it changes.
 */
#include "tracee.h"

#include <sys/prctl.h>

#define COPIES 256

static char *memory;

static void say(const char *what)
{
    for (size_t i = 0; i < COPIES; i++)
        snprintf(memory + i * 32, 32, "%s", what);
    __sync_synchronize();
}

static void rest(long microseconds)
{
    int64_t until = tracee_now_ns() + microseconds * 1000;
    while (tracee_now_ns() < until)
        ;
}

int main(int argc, char **argv)
{
    long every = tracee_number(argc, argv, "--every-us", 500);
    const char *other = tracee_text(argc, argv, "--exec", NULL);
    char interval[32], state[32], self[256];
    memory = tracee_map(COPIES * 32, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (!tracee_flag(argc, argv, "--again"))
        tracee_ready("every_us=%ld", every);
    if (other != NULL) {
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        self[length > 0 ? length : 0] = 0;
        snprintf(state, sizeof state, "STATE-%.20s", strrchr(self, '/') + 1);
        snprintf(interval, sizeof interval, "%ld", every);
        say(state);
        rest(every);
        execl(other, other, "--again", "yes", "--every-us", interval, "--exec", self, (char *)NULL);
        die("exec");
    }
    for (;;) {
        say("STATE-root");
        rest(every);
        say("");
        if (setresuid(1000, 1000, 0) != 0)
            die("setresuid");
        prctl(PR_SET_DUMPABLE, 1);
        say("STATE-user");
        rest(every);
        say("");
        if (setresuid(0, 0, 0) != 0)
            die("setresuid");
        prctl(PR_SET_DUMPABLE, 1);
    }
}
