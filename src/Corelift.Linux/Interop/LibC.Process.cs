using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

internal static unsafe partial class LibC
{
    /// <summary>kill(2).</summary>
    [LibraryImport(Library, EntryPoint = "kill", SetLastError = true)]
    internal static partial int Kill(int pid, int signal);

    /// <summary>tgkill(2).</summary>
    internal static int Tgkill(int pid, int tid, int signal) => (int)Syscall3(SyscallNumber.Tgkill, pid, tid, signal);

    /// <summary>gettid(2).</summary>
    internal static int Gettid() => (int)Syscall3(SyscallNumber.Gettid, 0, 0, 0);

    /// <summary>sigaction(2).</summary>
    [LibraryImport(Library, EntryPoint = "sigaction", SetLastError = true)]
    internal static partial int Sigaction(int signal, SignalAction* action, SignalAction* before);

    /// <summary>_exit(2): ends the process at once; nothing is flushed, no handler runs.</summary>
    [LibraryImport(Library, EntryPoint = "_exit")]
    internal static partial void ExitNow(int status);

    /// <summary>prctl(2).</summary>
    [LibraryImport(Library, EntryPoint = "prctl", SetLastError = true)]
    internal static partial int Prctl(int option, nuint arg2, nuint arg3, nuint arg4, nuint arg5);

    /// <summary>geteuid(2).</summary>
    [LibraryImport(Library, EntryPoint = "geteuid")]
    internal static partial uint Geteuid();

    /// <summary>sched_setscheduler(2) of the calling thread or <paramref name="tid"/>.</summary>
    [LibraryImport(Library, EntryPoint = "sched_setscheduler", SetLastError = true)]
    internal static partial int SchedSetscheduler(int tid, int policy, int* parameter);

    /// <summary>setpriority(2).</summary>
    [LibraryImport(Library, EntryPoint = "setpriority", SetLastError = true)]
    internal static partial int Setpriority(int which, int who, int nice);

    /// <summary>ioprio_set(2).</summary>
    internal static int IoprioSet(int which, int who, int priority) => (int)Syscall3(SyscallNumber.IoprioSet, which, who, priority);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall3(nint number, nint a, nint b, nint c);

    /// <summary>pidfd_open(2).</summary>
    internal static int PidfdOpen(int pid, uint flags) => (int)Syscall3(SyscallNumber.PidfdOpen, pid, (nint)flags, 0);

    /// <summary>pidfd_getfd(2).</summary>
    internal static int PidfdGetfd(int pidfd, int descriptor) => (int)Syscall3(SyscallNumber.PidfdGetfd, pidfd, descriptor, 0);

    /// <summary>posix_spawn(3).</summary>
    [LibraryImport(Library, EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int PosixSpawn(out int pid, string path, void* fileActions, void* attributes, byte** argv, byte** envp);

    /// <summary>posix_spawn_file_actions_init(3).</summary>
    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_init")]
    internal static partial int SpawnActionsInit(void* actions);

    /// <summary>posix_spawn_file_actions_adddup2(3).</summary>
    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_adddup2")]
    internal static partial int SpawnActionsAddDup2(void* actions, int descriptor, int newDescriptor);

    /// <summary>posix_spawn_file_actions_destroy(3).</summary>
    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_destroy")]
    internal static partial int SpawnActionsDestroy(void* actions);

    /// <summary>clock_gettime(2).</summary>
    [LibraryImport(Library, EntryPoint = "clock_gettime")]
    internal static partial int ClockGettime(int clock, TimeSpec* time);

    /// <summary>clock_nanosleep(2) with a relative time.</summary>
    [LibraryImport(Library, EntryPoint = "clock_nanosleep")]
    internal static partial int ClockNanosleep(int clock, int flags, TimeSpec* request, TimeSpec* remaining);

    /// <summary>statx(2).</summary>
    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Statx(int directory, string path, int flags, uint mask, byte* buffer);
}
