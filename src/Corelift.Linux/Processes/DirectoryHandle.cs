using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Processes;

/// <summary>A descriptor of a directory; .NET opens files alone. With it, new names in the directory can be put on disk (fsync(2)).</summary>
public static class DirectoryHandle
{
    /// <summary>Opens a directory for reading.</summary>
    /// <exception cref="SyscallException">It is not there, none, or refused.</exception>
    public static SafeFileHandle Open(string path)
    {
        int descriptor = LibC.Open(path, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.CloseOnExec);
        return descriptor < 0 ? throw SyscallException.FromLastError("open", 0) : new SafeFileHandle(descriptor, ownsHandle: true);
    }
}
