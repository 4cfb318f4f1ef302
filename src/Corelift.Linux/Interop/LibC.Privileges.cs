using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Interop;

/// <content>capset(2), capget(2), execve(2), openat2(2).</content>
internal static unsafe partial class LibC
{
    private const nint CapgetNumber = 125; // capget on x86-64; 90 on AArch64
    private const nint CapsetNumber = 126; // capset on x86-64; 91 on AArch64
    private const nint Openat2Number = 437; // openat2, the same everywhere

    /// <summary>capget(2) of the calling thread.</summary>
    internal static int Capget(CapabilityHeader* header, CapabilityData* data) => (int)Syscall3(CapgetNumber, (nint)header, (nint)data, 0);

    /// <summary>capset(2) of the calling thread, and of no other.</summary>
    internal static int Capset(CapabilityHeader* header, CapabilityData* data) => (int)Syscall3(CapsetNumber, (nint)header, (nint)data, 0);

    /// <summary>execve(2): returns on failure only. The process goes on with the credentials of the calling thread.</summary>
    [LibraryImport(Library, EntryPoint = "execve", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Execve(string path, byte** argv, byte** envp);

    /// <summary>openat2(2), Linux 5.6.</summary>
    internal static int OpenAt2(SafeFileHandle directory, byte* path, OpenHow* how) =>
        (int)Syscall4(Openat2Number, directory.DangerousGetHandle(), (nint)path, (nint)how, sizeof(OpenHow));

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall4(nint number, nint a, nint b, nint c, nint d);
}

/// <summary>struct __user_cap_header_struct (capget(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CapabilityHeader
{
    internal const uint Version3 = 0x20080522; // _LINUX_CAPABILITY_VERSION_3

    internal uint Version;
    internal int Pid;
}

/// <summary>struct __user_cap_data_struct (capget(2)); version 3 takes two of them, low words first.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CapabilityData
{
    internal uint Effective;
    internal uint Permitted;
    internal uint Inheritable;
}

/// <summary>struct open_how (openat2(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OpenHow
{
    internal const ulong NoSymbolicLinks = 0x04; // RESOLVE_NO_SYMLINKS
    internal const ulong InRoot = 0x10; // RESOLVE_IN_ROOT

    internal ulong Flags;
    internal ulong Mode;
    internal ulong Resolve;
}
