using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Procfs;

/// <summary>The processes of the agent's pid namespace.</summary>
public static class ProcessTable
{
    /// <summary>Lists all pids in ascending order, kernel threads and zombies among them.</summary>
    /// <exception cref="SyscallException">/proc cannot be read.</exception>
    public static List<int> ListPids(ProcfsLimits? limits = null)
    {
        int descriptor = LibC.Open("/proc", OpenFlags.Directory | OpenFlags.CloseOnExec);
        if (descriptor < 0)
        {
            throw SyscallException.FromLastError("open(/proc)", 0);
        }

        using var directory = new SafeFileHandle(descriptor, ownsHandle: true);
        return NumericEntries.List(directory, 0, limits ?? ProcfsLimits.Default);
    }
}
