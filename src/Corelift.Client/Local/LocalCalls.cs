using System.Runtime.InteropServices;

namespace Corelift.Client.Local;

/// <summary>libc entry points that the BCL does not offer: raw values in, raw values out. x86-64 and arm64, glibc and musl.</summary>
internal static unsafe partial class LocalCalls
{
    internal const int ReadOnly = 1;                // PROT_READ
    internal const int Shared = 1;                  // MAP_SHARED
    internal const int CloseOnExec = 0x40000000;    // MSG_CMSG_CLOEXEC
    internal const int SolSocket = 1;               // SOL_SOCKET
    internal const int Rights = 1;                  // SCM_RIGHTS
    internal const int GetSeals = 1034;             // F_GET_SEALS
    internal const int SealShrink = 2;              // F_SEAL_SHRINK

    private const string Library = "libc";

    /// <summary>mmap(2).</summary>
    [LibraryImport(Library, EntryPoint = "mmap", SetLastError = true)]
    internal static partial nint Mmap(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    /// <summary>munmap(2).</summary>
    [LibraryImport(Library, EntryPoint = "munmap", SetLastError = true)]
    internal static partial int Munmap(nint address, nuint length);

    /// <summary>fcntl(2) without a third argument.</summary>
    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    internal static partial int Fcntl(int descriptor, int command, int argument);

    /// <summary>recvmsg(2).</summary>
    [LibraryImport(Library, EntryPoint = "recvmsg", SetLastError = true)]
    internal static partial nint Recvmsg(int descriptor, MessageHeader* message, int flags);

    /// <summary>struct msghdr (recvmsg(2)).</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct MessageHeader
    {
        internal nint Name;
        internal uint NameLength;
        internal Vector* Vectors;
        internal nuint VectorCount;
        internal void* Control;
        internal nuint ControlLength;
        internal int Flags;
    }

    /// <summary>struct iovec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Vector
    {
        internal void* Base;
        internal nuint Length;
    }

    /// <summary>struct cmsghdr with room for one descriptor (cmsg(3)).</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct OneDescriptor
    {
        internal nuint Length;
        internal int Level;
        internal int Type;
        internal int Descriptor;
        private readonly int _padding;
    }
}
