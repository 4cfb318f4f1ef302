using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

internal static unsafe partial class LibC
{
    private const int SchedSetAffinityNumber = 203; // sched_setaffinity
    private const int SchedGetAffinityNumber = 204; // sched_getaffinity

    /// <summary>sched_yield(2).</summary>
    [LibraryImport(Library, EntryPoint = "sched_yield")]
    internal static partial int SchedYield();

    /// <summary>sched_getaffinity(2) of the calling thread.</summary>
    /// <returns>Bytes of the kernel's mask, or -1.</returns>
    internal static int OwnAffinity(nuint lengthBytes, byte* mask) =>
        (int)Syscall3(SchedGetAffinityNumber, 0, (nint)lengthBytes, (nint)mask);

    /// <summary>sched_setaffinity(2) of the calling thread.</summary>
    internal static int SetOwnAffinity(nuint lengthBytes, byte* mask) =>
        (int)Syscall3(SchedSetAffinityNumber, 0, (nint)lengthBytes, (nint)mask);

    /// <summary>kcmp(2), KCMP_FILES: whether two tasks share their table of descriptors.</summary>
    /// <returns>0 where they do.</returns>
    internal static int CompareFileTables(int tid, int otherTid)
    {
        const int Files = 2; // KCMP_FILES
        return (int)Syscall3(SyscallNumber.Kcmp, tid, otherTid, Files);
    }
}
