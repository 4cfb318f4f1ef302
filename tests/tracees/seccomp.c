/*
 * Under a seccomp filter that kills the process on any clone, fork or vfork. With --errno it answers EPERM instead, with --trap it
 * sends SIGSYS, and with --notify it asks a thread of this process, which says EPERM: both are counted, and one is harm.
 * With --strict there is no filter, but one thread in strict mode, which answers bytes on a pipe.
 */
#include "guarded.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#if defined(__x86_64__)
#define THIS_ARCHITECTURE AUDIT_ARCH_X86_64
#define FORK_CALL SYS_fork
#define VFORK_CALL SYS_vfork
#else
#define THIS_ARCHITECTURE AUDIT_ARCH_AARCH64
#define FORK_CALL SYS_clone3
#define VFORK_CALL SYS_clone3
#endif

static atomic_ulong trapped, notified;
static atomic_uint listener;
static int question[2], answer[2];
static bool strict;

static void on_trap(int signal)
{
    (void)signal;
    atomic_fetch_add(&trapped, 1);
}

static void *listen_for_calls(void *unused)
{
    tracee_await_change(&listener, 0);
    for (;;) {
        struct seccomp_notif call = {0};
        struct seccomp_notif_resp reply = {0};
        if (ioctl((int)atomic_load(&listener), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
            continue;
        atomic_fetch_add(&notified, 1);
        reply.id = call.id;
        reply.error = -EPERM;
        ioctl((int)atomic_load(&listener), SECCOMP_IOCTL_NOTIF_SEND, &reply);
    }
    return unused;
}

/* Only read, write and exit from here on. */
static void *live_strictly(void *unused)
{
    char byte;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0)
        die("strict mode");
    while (read(question[0], &byte, 1) == 1) {
        byte++;
        if (write(answer[1], &byte, 1) != 1)
            break;
    }
    syscall(SYS_exit, 1);
    return unused;
}

static bool answers_strictly(void)
{
    static char asked;
    char answered = 0;
    asked++;
    return write(question[1], &asked, 1) == 1 && read(answer[0], &answered, 1) == 1 && answered == (char)(asked + 1);
}

static void filter_forks(unsigned verdict)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCHITECTURE, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FORK_CALL, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, VFORK_CALL, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, verdict),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC;
    if (verdict == SECCOMP_RET_USER_NOTIF)
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    long result = -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || (result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program)) < 0)
        die("seccomp");
    atomic_store(&listener, (unsigned)result);
    tracee_futex(&listener, FUTEX_WAKE, 1 << 30, NULL);
}

static bool command(const char *line)
{
    if (strcmp(line, "check") == 0 && atomic_load(&trapped) + atomic_load(&notified) != 0)
        tracee_bad("trapped=%lu notified=%lu", atomic_load(&trapped), atomic_load(&notified));
    else if (strcmp(line, "check") == 0 && strict && !answers_strictly())
        tracee_bad("the thread in strict mode answers no more");
    else
        return guarded_command(line);
    return true;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_trap};
    sigaction(SIGSYS, &action, NULL);
    ranges_create(argc, argv);
    sleepers_start(2);
    strict = tracee_flag(argc, argv, "--strict");
    bool notify = tracee_flag(argc, argv, "--notify");
    if (strict) {
        if (pipe(question) != 0 || pipe(answer) != 0)
            die("pipe");
        tracee_thread(live_strictly, NULL, 0);
    } else {
        if (notify)
            tracee_thread(listen_for_calls, NULL, 0);
        filter_forks(notify                               ? SECCOMP_RET_USER_NOTIF
                     : tracee_flag(argc, argv, "--trap")  ? SECCOMP_RET_TRAP
                     : tracee_flag(argc, argv, "--errno") ? SECCOMP_RET_ERRNO | EPERM
                                                          : SECCOMP_RET_KILL_PROCESS);
    }
    guarded_serve_with(command);
}
