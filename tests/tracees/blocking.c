/*
 * One thread in each blocking call that restarts, or fails to restart, in its own way. None of them has a reason to
 * return: "check" is BAD if one did, and says with what. Two more threads sleep 50 ms again and again and measure it:
 * a sleep that ends early or fails is counted. "wake" gives each call its reason, and checks that it returned what it
 * should; after that the calls are over.
 */
#include "tracee.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/un.h>

struct call {
    const char *name;
    long (*run)(struct call *);
    long expected; /* what it returns when woken; no_wake where nothing wakes it */
    int fd[2];     /* what it blocks on, and how to wake it */
    pthread_t thread;
    pid_t tid;
    atomic_bool returned;
    long result;
    int error;
};

enum { no_wake = -99, hour_s = 3600, hour_ms = 3600000 };

static atomic_uint futex_word;
static struct timespec hour = {hour_s, 0};
static atomic_ulong short_sleeps, short_failures;
static sigset_t awaited;
static pid_t child;

static long in_read(struct call *c) { char byte; return read(c->fd[0], &byte, 1); }
static long in_read_eventfd(struct call *c) { uint64_t value; return read(c->fd[0], &value, sizeof value); }
static long in_nanosleep(struct call *c) { (void)c; return nanosleep(&hour, NULL); }
static long in_clock_nanosleep(struct call *c)
{
    struct timespec end;
    (void)c;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += hour_s;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
    return errno == 0 ? 0 : -1;
}
static long in_poll(struct call *c) { struct pollfd p = {c->fd[0], POLLIN, 0}; return poll(&p, 1, hour_ms); }
static long in_poll_forever(struct call *c) { struct pollfd p = {c->fd[0], POLLIN, 0}; return poll(&p, 1, -1); }
static long in_ppoll(struct call *c) { struct pollfd p = {c->fd[0], POLLIN, 0}; return ppoll(&p, 1, &hour, &awaited); }
static long in_select(struct call *c)
{
    struct timeval timeout = {hour_s, 0};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(c->fd[0], &set);
    return select(c->fd[0] + 1, &set, NULL, NULL, &timeout);
}
static long in_pselect(struct call *c)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(c->fd[0], &set);
    return pselect(c->fd[0] + 1, &set, NULL, NULL, &hour, &awaited);
}
static long in_futex(struct call *c) { (void)c; return tracee_futex(&futex_word, FUTEX_WAIT, 0, NULL); }
static long in_futex_timed(struct call *c) { (void)c; return tracee_futex(&futex_word, FUTEX_WAIT, 0, &hour); }
static long wait_epoll(struct call *c, int timeout_ms, const sigset_t *mask)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd[0], &event) != 0)
        die("epoll");
    return mask == NULL ? epoll_wait(epoll, &event, 1, timeout_ms) : epoll_pwait(epoll, &event, 1, timeout_ms, mask);
}
static long in_epoll_wait(struct call *c) { return wait_epoll(c, -1, NULL); }
static long in_epoll_wait_timed(struct call *c) { return wait_epoll(c, hour_ms, NULL); }
static long in_epoll_pwait(struct call *c) { return wait_epoll(c, -1, &awaited); }
static long in_recv(struct call *c) { char byte; return recv(c->fd[0], &byte, 1, 0); }
static long in_recv_timed(struct call *c)
{
    struct timeval timeout = {hour_s, 0};
    char byte;
    setsockopt(c->fd[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    return recv(c->fd[0], &byte, 1, 0);
}
static long in_accept(struct call *c) { return accept(c->fd[0], NULL, NULL) < 0 ? -1 : 0; }
static long in_sigtimedwait(struct call *c) { (void)c; return sigtimedwait(&awaited, NULL, &hour); }
static long in_sigwaitinfo(struct call *c) { (void)c; return sigwaitinfo(&awaited, NULL); }
static long in_pause(struct call *c) { (void)c; return pause(); }
static long in_wait4(struct call *c) { int status; (void)c; return wait4(child, &status, 0, NULL) == child ? 0 : -1; }
static long in_waitid(struct call *c) { siginfo_t info; (void)c; return waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT); }
static long in_msgrcv(struct call *c) { struct { long type; char text; } m; return msgrcv(c->fd[0], &m, 1, 0, 0); }
static long in_msgsnd(struct call *c)
{
    struct { long type; char text[64]; } message = {1, ""};
    return msgsnd(c->fd[0], &message, sizeof message.text, 0);
}
static long in_inotify(struct call *c)
{
    char event[sizeof(struct inotify_event) + 256];
    return read(c->fd[0], event, sizeof event) > 0 ? 1 : -1;
}
static long in_recvmmsg(struct call *c)
{
    char byte;
    struct iovec vector = {&byte, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    struct timespec timeout = hour;
    return recvmmsg(c->fd[0], &message, 1, 0, &timeout);
}
static long in_sigsuspend(struct call *c) { (void)c; return sigsuspend(&awaited); }
static long in_semop(struct call *c) { struct sembuf down = {0, -1, 0}; return semop(c->fd[0], &down, 1); }
static long in_semtimedop(struct call *c) { struct sembuf down = {0, -1, 0}; return semtimedop(c->fd[0], &down, 1, &hour); }
static long in_lock(struct call *c)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(c->fd[0], F_OFD_SETLKW, &lock);
}

static struct call calls[] = {
    {.name = "read", .run = in_read, .expected = 1},
    {.name = "read_eventfd", .run = in_read_eventfd, .expected = 8},
    {.name = "nanosleep", .run = in_nanosleep, .expected = no_wake},
    {.name = "clock_nanosleep", .run = in_clock_nanosleep, .expected = no_wake},
    {.name = "poll", .run = in_poll, .expected = 1},
    {.name = "poll_forever", .run = in_poll_forever, .expected = 1},
    {.name = "ppoll", .run = in_ppoll, .expected = 1},
    {.name = "select", .run = in_select, .expected = 1},
    {.name = "pselect", .run = in_pselect, .expected = 1},
    {.name = "futex", .run = in_futex, .expected = 0},
    {.name = "futex_timed", .run = in_futex_timed, .expected = 0},
    {.name = "epoll_wait", .run = in_epoll_wait, .expected = 1},
    {.name = "epoll_wait_timed", .run = in_epoll_wait_timed, .expected = 1},
    {.name = "epoll_pwait", .run = in_epoll_pwait, .expected = 1},
    {.name = "recv", .run = in_recv, .expected = 1},
    {.name = "recv_timed", .run = in_recv_timed, .expected = 1},
    {.name = "recvmmsg", .run = in_recvmmsg, .expected = 1},
    {.name = "accept", .run = in_accept, .expected = 0},
    {.name = "sigtimedwait", .run = in_sigtimedwait, .expected = SIGUSR2},
    {.name = "sigwaitinfo", .run = in_sigwaitinfo, .expected = SIGUSR2},
    {.name = "pause", .run = in_pause, .expected = no_wake},
    {.name = "sigsuspend", .run = in_sigsuspend, .expected = no_wake},
    {.name = "waitid", .run = in_waitid, .expected = no_wake},
    {.name = "wait4", .run = in_wait4, .expected = 0},
    {.name = "msgrcv", .run = in_msgrcv, .expected = 1},
    {.name = "msgsnd", .run = in_msgsnd, .expected = 0},
    {.name = "inotify", .run = in_inotify, .expected = 1},
    {.name = "semop", .run = in_semop, .expected = 0},
    {.name = "semtimedop", .run = in_semtimedop, .expected = 0},
    {.name = "ofd_lock", .run = in_lock, .expected = 0},
};

enum { call_count = sizeof calls / sizeof calls[0] };

static void open_what_it_blocks_on(struct call *c)
{
    if (c->run == in_recv || c->run == in_recv_timed || c->run == in_recvmmsg) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->fd) != 0)
            die("socketpair");
    } else if (c->run == in_read_eventfd) {
        c->fd[0] = c->fd[1] = eventfd(0, EFD_CLOEXEC);
    } else if (c->run == in_accept) {
        struct sockaddr_un any = {.sun_family = AF_UNIX};
        c->fd[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(c->fd[0], (struct sockaddr *)&any, sizeof(sa_family_t)) != 0 || listen(c->fd[0], 1) != 0)
            die("listen");
    } else if (c->run == in_msgrcv) {
        c->fd[0] = msgget(IPC_PRIVATE, 0600);
    } else if (c->run == in_msgsnd) {
        struct { long type; char text[64]; } filler = {1, ""};
        c->fd[0] = msgget(IPC_PRIVATE, 0600);
        while (msgsnd(c->fd[0], &filler, sizeof filler.text, IPC_NOWAIT) == 0)
            ;
    } else if (c->run == in_inotify) {
        char path[] = "/tmp/corelift-watched-XXXXXX";
        c->fd[1] = mkostemp(path, O_CLOEXEC);
        c->fd[0] = inotify_init1(IN_CLOEXEC);
        if (inotify_add_watch(c->fd[0], path, IN_MODIFY) < 0)
            die("inotify");
        unlink(path);
    } else if (c->run == in_semop || c->run == in_semtimedop) {
        c->fd[0] = semget(IPC_PRIVATE, 1, 0600);
    } else if (c->run == in_lock) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        char path[64];
        c->fd[1] = memfd_create("lock", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", c->fd[1]);
        c->fd[0] = open(path, O_RDWR | O_CLOEXEC); /* another open file description: the two locks are rivals */
        if (fcntl(c->fd[1], F_OFD_SETLK, &lock) != 0)
            die("lock");
    } else if (pipe2(c->fd, O_CLOEXEC) != 0) {
        die("pipe");
    }
}

static void wake(struct call *c)
{
    uint64_t one = 1;
    if (c->run == in_accept) {
        struct sockaddr_un name;
        socklen_t length = sizeof name;
        int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        getsockname(c->fd[0], (struct sockaddr *)&name, &length);
        if (connect(peer, (struct sockaddr *)&name, length) != 0)
            die("connect");
    } else if (c->run == in_msgrcv) {
        struct { long type; char text; } message = {1, 'x'};
        msgsnd(c->fd[0], &message, 1, 0);
    } else if (c->run == in_msgsnd) {
        struct { long type; char text[64]; } taken;
        msgrcv(c->fd[0], &taken, sizeof taken.text, 0, IPC_NOWAIT);
    } else if (c->run == in_semop || c->run == in_semtimedop) {
        struct sembuf up = {0, 1, 0};
        semop(c->fd[0], &up, 1);
    } else if (c->run == in_futex || c->run == in_futex_timed) {
        tracee_futex(&futex_word, FUTEX_WAKE, 1, NULL);
    } else if (c->run == in_sigtimedwait || c->run == in_sigwaitinfo) {
        pthread_kill(c->thread, SIGUSR2);
    } else if (c->run == in_wait4) {
        kill(child, SIGKILL);
    } else if (c->run == in_lock) {
        struct flock unlock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
        fcntl(c->fd[1], F_OFD_SETLK, &unlock);
    } else if (write(c->fd[1], &one, c->run == in_read_eventfd ? sizeof one : 1) < 0) {
        die("write");
    }
}

static void remove_ipc(void)
{
    for (int i = 0; i < call_count; i++) {
        if (calls[i].run == in_msgrcv || calls[i].run == in_msgsnd)
            msgctl(calls[i].fd[0], IPC_RMID, NULL);
        else if (calls[i].run == in_semop || calls[i].run == in_semtimedop)
            semctl(calls[i].fd[0], 0, IPC_RMID);
    }
}

/* What wait4 waits for; it outlives its parent just long enough to remove what would stay in the kernel for ever. */
static void start_child(void)
{
    sigset_t death;
    int signal;
    sigemptyset(&death);
    sigaddset(&death, SIGTERM);
    pid_t parent = getpid();
    child = fork();
    if (child != 0)
        return;
    sigprocmask(SIG_BLOCK, &death, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent)
        sigwait(&death, &signal);
    remove_ipc();
    _exit(0);
}

static void *block(void *argument)
{
    struct call *c = argument;
    prctl(PR_SET_NAME, c->name);
    c->tid = tracee_tid();
    c->result = c->run(c);
    c->error = c->result < 0 ? errno : 0;
    atomic_store(&c->returned, true);
    return NULL;
}

static void *sleep_shortly(void *unused)
{
    prctl(PR_SET_NAME, "short_sleep");
    for (;;) {
        struct timespec rest = {0, 50000000};
        int64_t start = tracee_now_ns();
        if (nanosleep(&rest, NULL) != 0 || tracee_now_ns() - start < 50000000)
            atomic_fetch_add(&short_failures, 1);
        atomic_fetch_add(&short_sleeps, 1);
    }
    return unused;
}

/* Woken calls must have returned what they should, all others must not have returned at all. */
static void report(bool woken)
{
    char wrong[2048] = "";
    size_t length = 0;
    int64_t patience = tracee_now_ns() + 5000000000;
    for (int i = 0; i < call_count; i++) {
        struct call *c = &calls[i];
        bool should = woken && c->expected != no_wake;
        if (c->run == in_waitid && woken)
            continue; /* the death of wait4's child wakes it, too, unless wait4 reaped it first */
        while (should && !atomic_load(&c->returned) && tracee_now_ns() < patience)
            sched_yield();
        if (atomic_load(&c->returned) != should || (should && c->result != c->expected))
            length += (size_t)snprintf(wrong + length, sizeof wrong - length, " %s:returned=%d,result=%ld,errno=%d", c->name,
                                       atomic_load(&c->returned), c->result, c->error);
    }
    unsigned long failures = atomic_load(&short_failures);
    if (length != 0 || failures != 0)
        tracee_bad("short_sleep_failures=%lu%s", failures, wrong);
    else
        tracee_ok("calls=%d short_sleeps=%lu", call_count, atomic_load(&short_sleeps));
}

static bool command(const char *line)
{
    if (strcmp(line, "check") == 0) {
        report(false);
    } else if (strcmp(line, "wake") == 0) {
        for (int i = 0; i < call_count; i++)
            if (calls[i].expected != no_wake)
                wake(&calls[i]);
        report(true);
        remove_ipc();
    } else {
        return false;
    }
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

int main(void)
{
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &awaited, NULL);
    for (int i = 0; i < call_count; i++)
        open_what_it_blocks_on(&calls[i]);
    start_child();
    for (int i = 0; i < call_count; i++)
        calls[i].thread = tracee_thread(block, &calls[i], 64 * 1024);
    tracee_thread(sleep_shortly, NULL, 64 * 1024);
    tracee_thread(sleep_shortly, NULL, 64 * 1024);
    for (int i = 0; i < call_count; i++)
        while (calls[i].tid == 0 || !is_blocked(&calls[i]))
            usleep(1000);
    tracee_ready("calls=%d child=%d", call_count, child);
    tracee_serve(command);
}
