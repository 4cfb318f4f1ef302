using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Procfs;

/// <content>What /proc gates by the right to trace, and files that a target maps.</content>
public sealed partial class ProcessDirectory
{
    private static IGatedFiles? s_gatedFiles;

    private ulong _processStart;

    /// <summary>Start of the process in clock ticks since boot; with <see cref="Pid"/>, which incarnation is meant.</summary>
    /// <exception cref="SyscallException">The process has gone.</exception>
    public ulong ProcessStartTicks => _processStart == 0 ? _processStart = TaskIdentity.Read(this).StartTimeTicks : _processStart;

    /// <summary>
    /// From now on, in the whole process, gated files are asked for rather than opened. Once, by a process that has given its
    /// capabilities up.
    /// </summary>
    public static void Use(IGatedFiles gatedFiles) => s_gatedFiles = gatedFiles;

    /// <summary>Opens a file that the target maps, below its root directory and by no symbolic link.</summary>
    /// <param name="path">Absolute path as maps has it.</param>
    /// <exception cref="SyscallException">The task has gone, there is no such file, or reading is refused.</exception>
    public SafeFileHandle OpenMappedFile(string path)
    {
        string name = "root" + path;
        return s_gatedFiles?.TryOpen(this, name) ?? OpenBelow("root", path) ?? OpenForReading(name);
    }

    /// <summary>Whether the mem file can be opened without anything being done in the target.</summary>
    /// <exception cref="SyscallException">The task has gone.</exception>
    public bool CanOpenMemory()
    {
        if (s_gatedFiles is { } gated)
        {
            return gated.CanOpenMemory(this);
        }

        try
        {
            using SafeFileHandle file = OpenForReading("mem");
            return true;
        }
        catch (SyscallException failure) when (failure.IsDenied)
        {
            return false;
        }
    }

    /// <summary>Opens a path with a link of this directory as its root; null where the kernel has no openat2, or a filter refuses it.</summary>
    private unsafe SafeFileHandle? OpenBelow(string rootName, string path)
    {
        int root = LibC.OpenAt(_directory, rootName, OpenFlags.Path | OpenFlags.Directory | OpenFlags.CloseOnExec);
        if (root < 0)
        {
            throw SyscallException.FromLastError($"openat(/proc/PID/{rootName})", Tid);
        }

        using var rootHandle = new SafeFileHandle(root, ownsHandle: true);
        byte[] text = System.Text.Encoding.UTF8.GetBytes(path + '\0');
        var how = new OpenHow
        {
            Flags = (ulong)(OpenFlags.ReadOnly | OpenFlags.NonBlocking | OpenFlags.CloseOnExec),
            Resolve = OpenHow.InRoot | OpenHow.NoSymbolicLinks,
        };
        fixed (byte* start = text)
        {
            int descriptor = LibC.OpenAt2(rootHandle, start, &how);
            if (descriptor >= 0)
            {
                return new SafeFileHandle(descriptor, ownsHandle: true);
            }
        }

        var failure = SyscallException.FromLastError($"openat2(/proc/PID/{rootName})", Tid);
        return failure.Errno is Errno.NotImplemented or Errno.NotPermitted ? null : throw failure;
    }
}
