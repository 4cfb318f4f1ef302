using Corelift.Linux.Interop;
using Corelift.Linux.Procfs;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Scheduling;

/// <summary>
/// A file that says how the tasks of a quiesced process were scheduled, for as long as they may not have it back: whoever
/// quiesced may be killed. Empty otherwise.
/// </summary>
public static class QuiesceJournal
{
    private const uint CloseOnExec = 1; // MFD_CLOEXEC
    private const int MostBytes = 1 << 20;
    private const int MostPasses = 100;

    /// <summary>A journal without a name, for an agent that keeps no state: it outlives the worker, and not the agent.</summary>
    /// <exception cref="SyscallException">No memory, or no descriptor.</exception>
    public static SafeFileHandle CreateUnnamed()
    {
        int descriptor = LibC.MemfdCreate("corelift-quiesce", CloseOnExec);
        return descriptor < 0 ? throw SyscallException.FromLastError("memfd_create", 0) : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>Gives every task of the process, and every process that it forked meanwhile, its own schedule back.</summary>
    /// <param name="file">The journal; it is empty afterwards.</param>
    /// <returns>Number of tasks that had not got it back; 0 where the journal was empty.</returns>
    public static int Restore(SafeFileHandle file)
    {
        ScheduleClasses? classes = Read(file);
        int restored = classes is null ? 0 : RestoreAll(classes);
        RandomAccess.SetLength(file, 0);
        return restored;
    }

    internal static void Write(SafeFileHandle file, ScheduleClasses classes) => RandomAccess.Write(file, classes.ToBytes(), 0);

    internal static void Clear(SafeFileHandle file) => RandomAccess.SetLength(file, 0);

    /// <summary>Goes over the tasks until none is left that shows a mark: one may be born of another while we look.</summary>
    internal static int RestoreAll(ScheduleClasses classes)
    {
        int restored = 0;
        for (int pass = 0; pass < MostPasses; pass++)
        {
            int before = restored;
            restored += RestoreTasks(classes, classes.Target);
            foreach (ProcessRef child in FindChildren(classes.Target))
            {
                restored += RestoreTasks(classes, child);
            }

            if (restored == before)
            {
                break;
            }
        }

        return restored;
    }

    private static ScheduleClasses? Read(SafeFileHandle file)
    {
        long length = RandomAccess.GetLength(file);
        if (length is 0 or > MostBytes)
        {
            return null;
        }

        byte[] bytes = new byte[length];
        return RandomAccess.Read(file, bytes, 0) == bytes.Length ? ScheduleClasses.FromBytes(bytes) : null;
    }

    private static int RestoreTasks(ScheduleClasses classes, ProcessRef process)
    {
        int restored = 0;
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(process.Pid);
            if (directory.ReadLeaderIdentity() == process)
            {
                foreach (int tid in directory.ListTasks())
                {
                    restored += classes.Restore(tid, -1) ? 1 : 0;
                }
            }
        }
        catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
        {
            // It has ended; so have its tasks.
        }

        return restored;
    }

    private static List<ProcessRef> FindChildren(ProcessRef target)
    {
        var children = new List<ProcessRef>();
        foreach (int pid in ProcessTable.ListPids())
        {
            try
            {
                AddChild(children, pid, target.Pid);
            }
            catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
            {
                // Gone meanwhile.
            }
        }

        return children;
    }

    private static void AddChild(List<ProcessRef> children, int pid, int parent)
    {
        using ProcessDirectory directory = ProcessDirectory.Open(pid);
        TaskStat stat = directory.ReadStat();
        if (stat.ParentPid == parent)
        {
            children.Add(new ProcessRef(pid, stat.StartTimeTicks));
        }
    }
}
