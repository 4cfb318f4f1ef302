using System.Runtime.InteropServices;

namespace Corelift.Linux.Interop;

internal static unsafe partial class LibC
{
    /// <summary>process_vm_readv(2).</summary>
    [LibraryImport(Library, EntryPoint = "process_vm_readv", SetLastError = true)]
    internal static partial nint ProcessVmReadv(int pid, IoVec* local, nuint localCount, IoVec* remote, nuint remoteCount, nuint flags);

    /// <summary>process_vm_writev(2).</summary>
    [LibraryImport(Library, EntryPoint = "process_vm_writev", SetLastError = true)]
    internal static partial nint ProcessVmWritev(int pid, IoVec* local, nuint localCount, IoVec* remote, nuint remoteCount, nuint flags);

    /// <summary>pread(2).</summary>
    [LibraryImport(Library, EntryPoint = "pread64", SetLastError = true)]
    internal static partial nint Pread(int descriptor, void* buffer, nuint count, long offset);

    /// <summary>write(2).</summary>
    [LibraryImport(Library, EntryPoint = "write", SetLastError = true)]
    internal static partial nint Write(int descriptor, void* buffer, nuint count);

    /// <summary>ioctl(2) with a pointer argument.</summary>
    [LibraryImport(Library, EntryPoint = "ioctl", SetLastError = true)]
    internal static partial int Ioctl(int descriptor, nuint request, void* argument);
}
