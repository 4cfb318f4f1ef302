using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

internal static unsafe partial class LibC
{
    /// <summary>socketpair(2).</summary>
    [LibraryImport(Library, EntryPoint = "socketpair", SetLastError = true)]
    internal static partial int Socketpair(int domain, int type, int protocol, int* pair);

    /// <summary>sendmsg(2).</summary>
    [LibraryImport(Library, EntryPoint = "sendmsg", SetLastError = true)]
    internal static partial nint Sendmsg(int descriptor, MsgHdr* message, int flags);

    /// <summary>recvmsg(2).</summary>
    [LibraryImport(Library, EntryPoint = "recvmsg", SetLastError = true)]
    internal static partial nint Recvmsg(int descriptor, MsgHdr* message, int flags);

    /// <summary>poll(2).</summary>
    [LibraryImport(Library, EntryPoint = "poll", SetLastError = true)]
    internal static partial int Poll(PollFd* descriptors, nuint count, int timeoutMilliseconds);

    /// <summary>getsockopt(2).</summary>
    [LibraryImport(Library, EntryPoint = "getsockopt", SetLastError = true)]
    internal static partial int Getsockopt(int descriptor, int level, int option, void* value, uint* lengthBytes);

    /// <summary>setsockopt(2).</summary>
    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    internal static partial int Setsockopt(int descriptor, int level, int option, void* value, uint lengthBytes);

    /// <summary>shutdown(2).</summary>
    [LibraryImport(Library, EntryPoint = "shutdown", SetLastError = true)]
    internal static partial int Shutdown(int descriptor, int how);
}
