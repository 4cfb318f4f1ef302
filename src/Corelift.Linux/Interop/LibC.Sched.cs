using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

internal static unsafe partial class LibC
{
    /// <summary>sched_yield(2).</summary>
    [LibraryImport(Library, EntryPoint = "sched_yield")]
    internal static partial int SchedYield();

    /// <summary>kcmp(2), KCMP_FILES: whether two tasks share their table of descriptors.</summary>
    /// <returns>0 where they do.</returns>
    internal static int CompareFileTables(int tid, int otherTid)
    {
        const int Files = 2; // KCMP_FILES
        return (int)Syscall3(SyscallNumber.Kcmp, tid, otherTid, Files);
    }

    private const nint FutexWaitPrivate = 0 | 128;  // FUTEX_WAIT | FUTEX_PRIVATE_FLAG
    private const nint FutexWakePrivate = 1 | 128;  // FUTEX_WAKE | FUTEX_PRIVATE_FLAG

    [LibraryImport(Library, EntryPoint = "syscall")]
    private static partial nint Futex(nint number, int* word, nint operation, nint value, TimeSpec* timeout);

    /// <summary>futex(2), FUTEX_WAIT within this process: sleeps while the word has this value. May return for no reason.</summary>
    internal static void FutexWait(int* word, int value) => _ = Futex(SyscallNumber.Futex, word, FutexWaitPrivate, value, null);

    /// <summary>futex(2), FUTEX_WAKE within this process: wakes all who wait for the word.</summary>
    internal static void FutexWakeAll(int* word) => _ = Futex(SyscallNumber.Futex, word, FutexWakePrivate, int.MaxValue, null);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SchedCall(nint number, nint a, nint b, nint c, nint d);

    /// <summary>sched_setaffinity(2).</summary>
    internal static bool SchedSetaffinity(int tid, void* mask, int lengthBytes) =>
        SchedCall(SyscallNumber.SchedSetaffinity, tid, lengthBytes, (nint)mask, 0) == 0;

    /// <summary>sched_getaffinity(2) as the system call: the number of bytes that the kernel wrote, or -1.</summary>
    internal static int SchedGetaffinity(int tid, void* mask, int lengthBytes) =>
        (int)SchedCall(SyscallNumber.SchedGetaffinity, tid, lengthBytes, (nint)mask, 0);

    /// <summary>sched_setattr(2).</summary>
    internal static bool SchedSetattr(int tid, SchedAttributes* attributes) =>
        SchedCall(SyscallNumber.SchedSetattr, tid, (nint)attributes, 0, 0) == 0;

    /// <summary>sched_getattr(2).</summary>
    internal static bool SchedGetattr(int tid, SchedAttributes* attributes) =>
        SchedCall(SyscallNumber.SchedGetattr, tid, (nint)attributes, (nint)SchedAttributes.FirstSizeBytes, 0) == 0;

    /// <summary>getpriority(2) of one task as the system call: 20 less its nice value, or -1.</summary>
    internal static int Getpriority(int tid) => (int)SchedCall(SyscallNumber.Getpriority, 0, tid, 0, 0);

    /// <summary>getrusage(2); <paramref name="usage"/> has 18 words: two times, then the counters.</summary>
    [LibraryImport(Library, EntryPoint = "getrusage")]
    internal static partial int Getrusage(int who, long* usage);
}
