/*
 * No target: kills a worker of the agent right after a chosen one of its system calls. It lies in the place of the agent's
 * program, PROGRAM, with the program itself beside it as PROGRAM.real, and becomes that at once. Each start takes the first line
 * of PROGRAM.points, where there is one: "NUMBER TARGET". 0 lets the worker be; with another number a process beside the worker
 * traces it from its execve on, all of its threads, and sends it SIGKILL when the system call of that number has returned.
 *
 * What became of it is a line of PROGRAM.done: "killed NUMBER SYSCALL SEEN NONE", the last two being microseconds until the last
 * look at which a thread of TARGET was stopped by the worker still, and until none was; or "ended COUNT" where it made fewer calls.
 */
#include "tracee.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/ptrace.h>

#define MOST_THREADS 512
#define SYSCALL_STOP (SIGTRAP | 0x80)

static pid_t threads[MOST_THREADS];
static size_t thread_count;
static char path[4096];

static const char *beside(const char *program, const char *suffix)
{
    snprintf(path, sizeof path, "%s.%s", program, suffix);
    return path;
}

/* Takes the first line away; an answer of 0 is: nothing to do. */
static long take_point(const char *program, pid_t *target)
{
    char text[65536];
    int fd = open(beside(program, "points"), O_RDWR | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) != 0)
        return 0;
    ssize_t length = pread(fd, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = '\0';
    char *end = strchr(text, '\n');
    long number = 0;
    if (end != NULL) {
        size_t rest = (size_t)(text + length - (end + 1));
        if (sscanf(text, "%ld %d", &number, target) != 2 || pwrite(fd, end + 1, rest, 0) != (ssize_t)rest || ftruncate(fd, (off_t)rest) != 0)
            die("points");
    }
    close(fd);
    return number;
}

static void tell(const char *program, const char *format, ...)
{
    char line[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    int fd = open(beside(program, "done"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || write(fd, line, (size_t)length) != length)
        die("done");
    close(fd);
}

static void know(pid_t tid)
{
    for (size_t i = 0; i < thread_count; i++)
        if (threads[i] == tid)
            return;
    if (thread_count < MOST_THREADS)
        threads[thread_count++] = tid;
}

/* Whether a task is in a ptrace-stop, and its tracer is a thread of the worker. */
static bool is_held(pid_t target, const char *tid)
{
    char name[64], text[2048];
    snprintf(name, sizeof name, "/proc/%d/task/%s/status", target, tid);
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    const char *state = strstr(text, "\nState:\t"), *tracer = strstr(text, "\nTracerPid:\t");
    pid_t by = tracer == NULL ? 0 : atoi(tracer + strlen("\nTracerPid:\t"));
    if (state == NULL || state[strlen("\nState:\t")] != 't')
        return false;
    for (size_t i = 0; i < thread_count; i++)
        if (threads[i] == by)
            return true;
    return false;
}

static bool holds_any(pid_t target)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/task", target);
    DIR *tasks = opendir(name);
    bool any = false;
    for (struct dirent *entry; tasks != NULL && !any && (entry = readdir(tasks)) != NULL;)
        any = entry->d_name[0] != '.' && is_held(target, entry->d_name);
    if (tasks != NULL)
        closedir(tasks);
    return any;
}

static void kill_now(const char *program, pid_t worker, pid_t target, long number, long call)
{
    int64_t since = tracee_now_ns();
    if (kill(worker, SIGKILL) != 0)
        die("kill");
    int64_t seen = 0, now = 0;
    do {
        seen = now;
        now = tracee_now_ns() - since;
    } while (holds_any(target) && now < 10000000000);
    tell(program, "killed %ld %ld %ld %ld\n", number, call, (long)(seen / 1000), (long)((tracee_now_ns() - since) / 1000));
}

/* Returns the signal to go on with. */
static int look(pid_t tid, int status, long *count, bool *counts, long *call)
{
    int signal = WSTOPSIG(status), event = status >> 16;
    know(tid);
    *call = -1;
    if (signal == SYSCALL_STOP) {
        struct __ptrace_syscall_info info;
        if (*counts && ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) > 0 && info.op == PTRACE_SYSCALL_INFO_EXIT) {
            ++*count;
            *call = ptrace(PTRACE_PEEKUSER, tid, 8 * 15, 0); /* orig_rax */
        }
        return 0;
    }
    *counts |= event == PTRACE_EVENT_EXEC;
    return event != 0 ? 0 : signal;
}

static void trace(const char *program, pid_t worker, pid_t target, long number, int go)
{
    const int options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SEIZE, worker, 0, options) != 0 || ptrace(PTRACE_INTERRUPT, worker, 0, 0) != 0)
        die("seize of the worker");
    long count = 0;
    bool counts = false, started = false;
    for (int status;;) {
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0)
            break;
        if (!WIFSTOPPED(status))
            continue;
        long call;
        int signal = look(tid, status, &count, &counts, &call);
        if (call >= 0 && count == number) {
            kill_now(program, worker, target, number, call);
            while (waitpid(-1, &status, __WALL) >= 0)
                ;
            return;
        }
        ptrace(PTRACE_SYSCALL, tid, 0, signal); /* ESRCH: killed by somebody else */
        if (!started && write(go, "", 1) != 1)
            die("start of the worker");
        started = true;
    }
    tell(program, "ended %ld\n", count);
}

int main(int argc, char **argv)
{
    pid_t target = 0, worker = getpid();
    long number = argc > 1 && strcmp(argv[1], "worker") == 0 ? take_point(argv[0], &target) : 0;
    if (number != 0) {
        int go[2];
        char byte;
        if (pipe2(go, O_CLOEXEC) != 0)
            die("pipe");
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            if (fork() != 0)
                _exit(0);
            int keep = fcntl(go[1], F_DUPFD_CLOEXEC, 100);
            close_range(3, 99, 0); /* the worker's socket must be the worker's alone */
            trace(argv[0], worker, target, number, keep);
            _exit(0);
        }
        waitpid(child, NULL, 0);
        close(go[1]);
        if (read(go[0], &byte, 1) != 1)
            die("no tracer");
        close(go[0]);
    }
    execv(beside(argv[0], "real"), argv);
    die("execv");
}
