using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Processes;

/// <summary>What the agent and its workers do to themselves: priority, protection, and the exit that nothing can hold up.</summary>
public static unsafe class SelfControl
{
    private const int Fifo = 1;                 // SCHED_FIFO
    private const int Other = 0;                // SCHED_OTHER
    private const int PriorityProcess = 0;      // PRIO_PROCESS
    private const int SetDumpable = 4;          // PR_SET_DUMPABLE
    private const uint Unchanged = uint.MaxValue;

    /// <summary>
    /// Raises the calling thread to SCHED_FIFO, or to nice -20 where that is refused (a v1 cpu cgroup without a real-time
    /// budget).
    /// </summary>
    /// <param name="priority">Among SCHED_FIFO threads the higher one runs first.</param>
    /// <returns>Whether SCHED_FIFO was granted.</returns>
    public static bool RaisePriority(int priority = 1) => RaisePriorityOf(0, priority);

    /// <summary>The same for another task: a thread of ours, or a child of the target that is. Never for a task of the target itself.</summary>
    public static bool RaisePriorityOf(int tid, int priority = 1)
    {
        if (LibC.SchedSetscheduler(tid, Fifo, &priority) == 0)
        {
            return true;
        }

        _ = LibC.Setpriority(PriorityProcess, tid, -20);
        return false;
    }

    /// <summary>The calling thread's id (gettid(2)).</summary>
    public static int ThreadId => LibC.Gettid();

    /// <summary>Puts the calling thread back to SCHED_OTHER.</summary>
    /// <param name="nice">Its nice value, -20 to 19.</param>
    public static void LowerPriority(int nice = 0)
    {
        int priority = 0;
        _ = LibC.SchedSetscheduler(0, Other, &priority);
        _ = LibC.Setpriority(PriorityProcess, 0, nice);
    }

    /// <summary>Sets the calling thread's nice value, -20 to 19.</summary>
    public static void SetNice(int nice) => _ = LibC.Setpriority(PriorityProcess, 0, nice);

    /// <summary>
    /// Makes the calling thread, and every thread and process that it starts from then on, give way to others: a nice value, and
    /// the last place among those who wait for a disk (ioprio_set(2), best effort, level 7).
    /// </summary>
    /// <param name="nice">0 to 19; 0 changes the disk's priority alone.</param>
    public static void GiveWay(int nice)
    {
        const int ThisThread = 1;                        // IOPRIO_WHO_PROCESS with id 0
        const int LastOfBestEffort = (2 << 13) | 7;      // IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7)
        _ = LibC.Setpriority(PriorityProcess, 0, nice);
        _ = LibC.IoprioSet(ThisThread, 0, LastOfBestEffort);
    }

    /// <summary>
    /// Our own memory, to read: /proc/self/mem. Only before <see cref="MakeNonDumpable"/>, as that gives the file to root.
    /// </summary>
    /// <returns>Null where it cannot be opened: a program that its own user may not read makes a process non-dumpable, too.</returns>
    public static SafeFileHandle? OpenOwnMemory()
    {
        int descriptor = LibC.Open("/proc/self/mem", OpenFlags.ReadOnly | OpenFlags.CloseOnExec);
        return descriptor < 0 ? null : new SafeFileHandle(descriptor, ownsHandle: true);
    }

    /// <summary>PR_SET_DUMPABLE 0: nobody without the capability reads our memory, and we leave no core.</summary>
    public static void MakeNonDumpable() => _ = LibC.Prctl(SetDumpable, 0, 0, 0, 0);

    /// <summary>Leaves no core of this process, nor of those that it starts: it may hold targets' memory (RLIMIT_CORE 0).</summary>
    /// <exception cref="SyscallException">The limit could not be set.</exception>
    public static void DisableCoreDumps()
    {
        var none = new ResourceLimit { Current = 0, Maximum = 0 };
        if (LibC.Setrlimit(ResourceLimit.Core, &none) != 0)
        {
            throw SyscallException.FromLastError("setrlimit(RLIMIT_CORE)", 0);
        }
    }

    /// <summary>Makes files that are created from now on accessible to their owner alone (umask 077).</summary>
    public static void CreateFilesPrivately() => _ = LibC.Umask(0x3f);

    /// <summary>Gives a file to a group. Without CAP_CHOWN only one that this process is in.</summary>
    /// <exception cref="SyscallException">Not the owner, or not in the group (EPERM).</exception>
    public static void ChangeGroup(string path, uint gid)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (LibC.Lchown(path, Unchanged, gid) != 0)
        {
            throw SyscallException.FromLastError("lchown", 0);
        }
    }

    /// <summary>_exit(2): the kernel detaches every tracee of this process, and they run on.</summary>
    public static void ExitNow(int status) => LibC.ExitNow(status);

    /// <summary>Effective uid.</summary>
    public static uint EffectiveUid => LibC.Geteuid();

    /// <summary>Effective group id.</summary>
    public static uint EffectiveGid => LibC.Getegid();
}
