/*
 * The calls of the tracee timeouts: how each is set up and made, and what it returns when its time is up.
 */
#ifndef TIMEOUTS_H
#define TIMEOUTS_H

#include "tracee.h"

#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

struct call {
    const char *name;
    void (*open)(struct call *);
    long (*run)(struct call *);
    int error;        /* errno when its time is up; 0 where it returns 0 */
    bool has_mask;    /* SIGUSR1 is blocked, but for the mask that the call brings along */
    bool is_untimed;  /* how long it takes is not asked */
    bool unsupported;
    int fd;
    int option;       /* SO_RCVTIMEO or SO_SNDTIMEO, and what it was */
    struct timeval kept;
    pid_t tid;
    int64_t nanoseconds;
    long result;
    int failure;
    unsigned handled;
    atomic_bool returned;
};

static long timeout_ms = 4000, slack_ms = 600;
static struct timespec timeout;
static sigset_t awaited;
static atomic_uint futex_word;

static struct timespec deadline_on(clockid_t clock)
{
    struct timespec end;
    clock_gettime(clock, &end);
    end.tv_sec += timeout.tv_sec;
    end.tv_nsec += timeout.tv_nsec;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    return end;
}

/* sockets */
static void set_timeout(struct call *c, int socket, int option)
{
    struct timeval time = {timeout.tv_sec, timeout.tv_nsec / 1000};
    socklen_t length = sizeof c->kept;
    c->fd = socket;
    c->option = option;
    if (setsockopt(socket, SOL_SOCKET, option, &time, sizeof time) != 0
        || getsockopt(socket, SOL_SOCKET, option, &c->kept, &length) != 0)
        die("SO_xTIMEO");
}
static bool has_its_timeout(const struct call *c)
{
    struct timeval now = {0, 0};
    socklen_t length = sizeof now;
    return c->option == 0 || (getsockopt(c->fd, SOL_SOCKET, c->option, &now, &length) == 0 && now.tv_sec == c->kept.tv_sec
                              && now.tv_usec == c->kept.tv_usec);
}
static void open_receiver(struct call *c)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    set_timeout(c, pair[0], SO_RCVTIMEO);
}
static void open_sender(struct call *c)
{
    char block[4096] = "";
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    set_timeout(c, pair[0], SO_SNDTIMEO);
    while (send(c->fd, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
}
static int listen_tcp(struct sockaddr_in *name)
{
    socklen_t length = sizeof *name;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)name, sizeof *name) != 0 || listen(listener, 0) != 0
        || getsockname(listener, (struct sockaddr *)name, &length) != 0)
        die("listen");
    return listener;
}
static void open_tcp_receiver(struct call *c)
{
    struct sockaddr_in name;
    int listener = listen_tcp(&name);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(c->fd, (struct sockaddr *)&name, sizeof name) != 0 || accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0)
        die("connect");
    set_timeout(c, c->fd, SO_RCVTIMEO);
}
static void open_udp_receiver(struct call *c)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(c->fd, (struct sockaddr *)&any, sizeof any) != 0)
        die("bind");
    set_timeout(c, c->fd, SO_RCVTIMEO);
}
static void open_acceptor(struct call *c)
{
    struct sockaddr_in name;
    set_timeout(c, listen_tcp(&name), SO_RCVTIMEO);
}
static struct sockaddr_in full_tcp;
static void open_connector(struct call *c)
{
    listen_tcp(&full_tcp); /* its backlog is full after these, and further SYNs are dropped */
    for (int i = 0; i < 3; i++)
        connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), (struct sockaddr *)&full_tcp, sizeof full_tcp);
    set_timeout(c, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), SO_SNDTIMEO);
}
static struct sockaddr_un full_unix = {.sun_family = AF_UNIX};
static socklen_t full_unix_length = sizeof full_unix;
static void open_unix_connector(struct call *c)
{
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&full_unix, sizeof(sa_family_t)) != 0 || listen(listener, 0) != 0)
        die("listen");
    getsockname(listener, (struct sockaddr *)&full_unix, &full_unix_length);
    while (connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), (struct sockaddr *)&full_unix,
                   full_unix_length) == 0)
        ;
    set_timeout(c, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), SO_SNDTIMEO);
}
static char byte_in[256];
static struct iovec vector_in = {byte_in, 1};
static long in_recv(struct call *c) { char b; return recv(c->fd, &b, 1, 0); }
static long in_read(struct call *c) { char b; return read(c->fd, &b, 1); }
static long in_readv(struct call *c) { return readv(c->fd, &vector_in, 1); }
static long in_recvfrom(struct call *c)
{
    char b;
    struct sockaddr_in from;
    socklen_t l = sizeof from;
    return recvfrom(c->fd, &b, 1, 0, (struct sockaddr *)&from, &l);
}
static long in_recvmsg(struct call *c)
{
    struct msghdr m = {.msg_iov = &vector_in, .msg_iovlen = 1};
    return recvmsg(c->fd, &m, 0);
}
static long in_recvmmsg(struct call *c)
{
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &vector_in, .msg_iovlen = 1}};
    return recvmmsg(c->fd, &m, 1, 0, NULL);
}
static long in_accept(struct call *c) { return accept(c->fd, NULL, NULL); }
static long in_accept4(struct call *c) { return accept4(c->fd, NULL, NULL, SOCK_CLOEXEC); }
static long in_send(struct call *c) { return send(c->fd, byte_in, 1, 0); }
static long in_write(struct call *c) { return write(c->fd, byte_in, 1); }
static long in_writev(struct call *c) { return writev(c->fd, &vector_in, 1); }
static long in_sendmsg(struct call *c)
{
    struct msghdr m = {.msg_iov = &vector_in, .msg_iovlen = 1};
    return sendmsg(c->fd, &m, 0);
}
static long in_sendmmsg(struct call *c)
{
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &vector_in, .msg_iovlen = 1}};
    return sendmmsg(c->fd, &m, 1, 0);
}
static long in_connect(struct call *c) { return connect(c->fd, (struct sockaddr *)&full_tcp, sizeof full_tcp); }
static long in_connect_unix(struct call *c) { return connect(c->fd, (struct sockaddr *)&full_unix, full_unix_length); }

/* epoll */
static void open_epoll(struct call *c) { if ((c->fd = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1"); }
static void open_epoll_pwait2(struct call *c)
{
    struct timespec none = {0, 0};
    struct epoll_event event;
    open_epoll(c);
    c->unsupported = epoll_pwait2(c->fd, &event, 1, &none, NULL) < 0 && errno == ENOSYS;
}
static long in_epoll_wait(struct call *c) { struct epoll_event event; return epoll_wait(c->fd, &event, 1, (int)timeout_ms); }
static long in_epoll_pwait(struct call *c)
{
    struct epoll_event event;
    return epoll_pwait(c->fd, &event, 1, (int)timeout_ms, &awaited);
}
static long in_epoll_pwait2(struct call *c)
{
    struct epoll_event event;
    return epoll_pwait2(c->fd, &event, 1, &timeout, &awaited);
}

/* The call in line, in code that goes on to use the argument: no register but rax, rcx and r11 may differ afterwards. */
static long in_epoll_inline(struct call *c)
{
    struct epoll_event event, *events = &event;
    long result = SYS_epoll_wait, descriptor = c->fd, count = 1, time = timeout_ms;
    register long r10 __asm__("r10") = time;
    __asm__ volatile("syscall" : "+a"(result), "+D"(descriptor), "+S"(events), "+d"(count), "+r"(r10) : : "rcx", "r11", "memory");
    if (r10 != timeout_ms || descriptor != c->fd || events != &event || count != 1) {
        errno = EBADR;
        return -1;
    }
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : result;
}

/* A call outside the C library in a function of its own, as Go has it: nobody uses the argument after it. */
__asm__(".type call_in_stub, @function\n"
        "call_in_stub: mov $232, %eax\n mov %rcx, %r10\n syscall\n cmp $-4095, %rax\n jae 1f\n ret\n"
        "1: cltq\n ret\n");
extern long call_in_stub(long epoll, struct epoll_event *events, long count, long timeout) __asm__("call_in_stub");
static long in_epoll_stub(struct call *c)
{
    struct epoll_event event;
    long result = call_in_stub(c->fd, &event, 1, timeout_ms);
    errno = result < 0 ? (int)-result : 0;
    return result < 0 ? -1 : result;
}

/* signals, semaphores, queues */
static void open_nothing(struct call *c) { (void)c; }
static void open_semaphore(struct call *c) { if ((c->fd = semget(IPC_PRIVATE, 1, 0600)) < 0) c->unsupported = true; }
static void open_queue(struct call *c)
{
    char name[64];
    struct mq_attr size = {.mq_maxmsg = 1, .mq_msgsize = sizeof byte_in};
    snprintf(name, sizeof name, "/corelift-timeouts-%d", getpid());
    c->fd = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &size);
    c->unsupported = c->fd < 0;
    mq_unlink(name);
}
static long in_sigtimedwait(struct call *c) { siginfo_t info; (void)c; return sigtimedwait(&awaited, &info, &timeout); }
static long in_semtimedop(struct call *c) { struct sembuf down = {0, -1, 0}; return semtimedop(c->fd, &down, 1, &timeout); }
static long in_mq_timedreceive(struct call *c)
{
    struct timespec end = deadline_on(CLOCK_REALTIME);
    return mq_timedreceive(c->fd, byte_in, sizeof byte_in, NULL, &end);
}

/* asynchronous input and output */
static void open_aio(struct call *c)
{
    aio_context_t context = 0;
    c->unsupported = syscall(SYS_io_setup, 1, &context) != 0;
    c->result = (long)context;
}
static long in_io_getevents(struct call *c)
{
    struct io_event e;
    return syscall(SYS_io_getevents, c->result, 1, 1, &e, &timeout);
}
static long in_io_pgetevents(struct call *c)
{
    struct io_event e;
    struct { const sigset_t *mask; size_t bytes; } mask = {&awaited, 8};
    return syscall(SYS_io_pgetevents, c->result, 1, 1, &e, &timeout, &mask);
}
static void open_ring(struct call *c)
{
    struct io_uring_params parameters = {0};
    c->fd = (int)syscall(SYS_io_uring_setup, 2, &parameters);
    c->unsupported = c->fd < 0 || (parameters.features & IORING_FEAT_EXT_ARG) == 0;
}
static long in_io_uring_enter(struct call *c)
{
    struct __kernel_timespec time = {timeout.tv_sec, timeout.tv_nsec};
    struct io_uring_getevents_arg argument = {.ts = (uintptr_t)&time};
    return syscall(SYS_io_uring_enter, c->fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument);
}

/* what the kernel restarts by itself */
static long in_futex(struct call *c) { (void)c; return tracee_futex(&futex_word, FUTEX_WAIT, 0, &timeout); }
static long in_nanosleep(struct call *c) { (void)c; return nanosleep(&timeout, NULL); }
static long in_clock_nanosleep(struct call *c)
{
    struct timespec end = deadline_on(CLOCK_MONOTONIC);
    (void)c;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
    return errno == 0 ? 0 : -1;
}
static long in_poll(struct call *c) { (void)c; return poll(NULL, 0, (int)timeout_ms); }
static long in_ppoll(struct call *c) { (void)c; return ppoll(NULL, 0, &timeout, &awaited); }
static long in_select(struct call *c)
{
    struct timeval time = {timeout.tv_sec, timeout.tv_nsec / 1000};
    (void)c;
    return select(0, NULL, NULL, NULL, &time);
}
static long in_pselect(struct call *c) { (void)c; return pselect(0, NULL, NULL, NULL, &timeout, &awaited); }

static struct call calls[] = {
    {.name = "epoll_wait", .open = open_epoll, .run = in_epoll_wait},
    {.name = "epoll_pwait", .open = open_epoll, .run = in_epoll_pwait, .has_mask = true},
    {.name = "epoll_pwait2", .open = open_epoll_pwait2, .run = in_epoll_pwait2, .has_mask = true},
    {.name = "epoll_inline", .open = open_epoll, .run = in_epoll_inline, .is_untimed = true},
    {.name = "epoll_stub", .open = open_epoll, .run = in_epoll_stub},
    {.name = "recv", .open = open_receiver, .run = in_recv, .error = EAGAIN},
    {.name = "recv_tcp", .open = open_tcp_receiver, .run = in_recv, .error = EAGAIN},
    {.name = "recv_udp", .open = open_udp_receiver, .run = in_recv, .error = EAGAIN},
    {.name = "read", .open = open_receiver, .run = in_read, .error = EAGAIN},
    {.name = "readv", .open = open_receiver, .run = in_readv, .error = EAGAIN},
    {.name = "recvfrom", .open = open_udp_receiver, .run = in_recvfrom, .error = EAGAIN},
    {.name = "recvmsg", .open = open_tcp_receiver, .run = in_recvmsg, .error = EAGAIN},
    {.name = "recvmmsg", .open = open_udp_receiver, .run = in_recvmmsg, .error = EAGAIN},
    {.name = "accept", .open = open_acceptor, .run = in_accept, .error = EAGAIN},
    {.name = "accept4", .open = open_acceptor, .run = in_accept4, .error = EAGAIN},
    {.name = "send", .open = open_sender, .run = in_send, .error = EAGAIN},
    {.name = "write", .open = open_sender, .run = in_write, .error = EAGAIN},
    {.name = "writev", .open = open_sender, .run = in_writev, .error = EAGAIN},
    {.name = "sendmsg", .open = open_sender, .run = in_sendmsg, .error = EAGAIN},
    {.name = "sendmmsg", .open = open_sender, .run = in_sendmmsg, .error = EAGAIN},
    {.name = "connect", .open = open_connector, .run = in_connect, .error = EINPROGRESS},
    {.name = "connect_unix", .open = open_unix_connector, .run = in_connect_unix, .error = EAGAIN},
    {.name = "sigtimedwait", .open = open_nothing, .run = in_sigtimedwait, .error = EAGAIN},
    {.name = "semtimedop", .open = open_semaphore, .run = in_semtimedop, .error = EAGAIN},
    {.name = "mq_timedreceive", .open = open_queue, .run = in_mq_timedreceive, .error = ETIMEDOUT},
    {.name = "io_getevents", .open = open_aio, .run = in_io_getevents},
    {.name = "io_pgetevents", .open = open_aio, .run = in_io_pgetevents, .has_mask = true},
    {.name = "io_uring_enter", .open = open_ring, .run = in_io_uring_enter, .error = ETIME},
    {.name = "futex", .open = open_nothing, .run = in_futex, .error = ETIMEDOUT},
    {.name = "nanosleep", .open = open_nothing, .run = in_nanosleep},
    {.name = "clock_nanosleep", .open = open_nothing, .run = in_clock_nanosleep},
    {.name = "poll", .open = open_nothing, .run = in_poll},
    {.name = "ppoll", .open = open_nothing, .run = in_ppoll, .has_mask = true},
    {.name = "select", .open = open_nothing, .run = in_select},
    {.name = "pselect", .open = open_nothing, .run = in_pselect, .has_mask = true},
};

enum { call_count = sizeof calls / sizeof calls[0] };

#endif
