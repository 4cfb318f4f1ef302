using System.Runtime.InteropServices;
using Corelift.Linux.Ptrace;

namespace Corelift.Linux.Interop;

internal static unsafe partial class LibC
{
    /// <summary>ptrace(2). Valid only on the thread that seized <paramref name="tid"/>.</summary>
    /// <returns>0 on success (a length for PTRACE_GET_RSEQ_CONFIGURATION and the like); -1 with errno on failure.</returns>
    [LibraryImport(Library, EntryPoint = "ptrace", SetLastError = true)]
    internal static partial nint Ptrace(PtraceRequest request, int tid, nint address, nint data);

    /// <summary>waitid(2).</summary>
    /// <param name="kind">P_PID.</param>
    /// <param name="id">The tid.</param>
    /// <param name="information">siginfo_t, 128 bytes; zero before.</param>
    /// <param name="options">WSTOPPED, WEXITED and more.</param>
    /// <returns>0, also with WNOHANG where nothing changed; -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "waitid", SetLastError = true)]
    internal static unsafe partial int Waitid(int kind, int id, int* information, int options);

    /// <summary>wait4(2); <paramref name="status"/> is the raw status word.</summary>
    /// <returns>The tid that changed state; 0 with WNOHANG where nothing did; -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "wait4", SetLastError = true)]
    internal static partial int Wait4(int tid, out int status, int options, nint usage);
}
