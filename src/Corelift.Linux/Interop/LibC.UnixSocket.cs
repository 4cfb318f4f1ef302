using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

/// <content>socket(2), bind(2), listen(2), accept4(2), connect(2) for addresses of unix(7).</content>
internal static unsafe partial class LibC
{
    /// <summary>socket(2).</summary>
    [LibraryImport(Library, EntryPoint = "socket", SetLastError = true)]
    internal static partial int Socket(int domain, int type, int protocol);

    /// <summary>bind(2).</summary>
    [LibraryImport(Library, EntryPoint = "bind", SetLastError = true)]
    internal static partial int Bind(int descriptor, UnixAddress* address, uint lengthBytes);

    /// <summary>listen(2).</summary>
    [LibraryImport(Library, EntryPoint = "listen", SetLastError = true)]
    internal static partial int Listen(int descriptor, int backlog);

    /// <summary>accept4(2) without the peer's address.</summary>
    [LibraryImport(Library, EntryPoint = "accept4", SetLastError = true)]
    internal static partial int Accept4(int descriptor, void* address, uint* lengthBytes, int flags);

    /// <summary>connect(2).</summary>
    [LibraryImport(Library, EntryPoint = "connect", SetLastError = true)]
    internal static partial int Connect(int descriptor, UnixAddress* address, uint lengthBytes);
}

/// <summary>struct sockaddr_un (unix(7)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct UnixAddress
{
    internal const int MaxPathBytes = 107; // less the terminator
    internal const ushort Unix = 1; // AF_UNIX

    internal ushort Family;
    internal fixed byte Path[108];
}

/// <summary>struct ucred (unix(7), SO_PEERCRED).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PeerCredential
{
    internal const int Option = 17; // SO_PEERCRED

    internal int Pid;
    internal uint Uid;
    internal uint Gid;
}
