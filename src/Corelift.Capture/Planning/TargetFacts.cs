using System.Globalization;
using System.Text;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Capture.Planning;

/// <summary>What /proc says of a target before anybody touches it.</summary>
internal sealed class TargetFacts
{
    private const uint UsualFilter = 0x33;

    private TargetFacts(ProcessDirectory directory, TaskStat stat, TaskStatus status, List<VmaDetails> vmas)
    {
        Directory = directory;
        Stat = stat;
        Status = status;
        Vmas = vmas;
    }

    /// <summary>The directory to read the memory's files in: the leader's, or a live task's where the leader has ended.</summary>
    internal ProcessDirectory Directory { get; }

    internal TaskStat Stat { get; }

    internal TaskStatus Status { get; }

    /// <summary>smaps, in ascending order of address.</summary>
    internal List<VmaDetails> Vmas { get; }

    private readonly Dictionary<string, bool> _readableFiles = new(StringComparer.Ordinal);

    /// <summary>Whether the file behind a VMA can be opened through the target's root. Asked before the stop, remembered in it.</summary>
    internal bool CanReadFile(Vma vma)
    {
        if (!_readableFiles.TryGetValue(vma.Name, out bool readable))
        {
            using MappedFiles files = new(Directory);
            readable = files.Open(vma) is not null;
            _readableFiles.Add(vma.Name, readable);
        }

        return readable;
    }

    /// <summary>Why nothing may be called in it, whatever the call; null where that is possible.</summary>
    internal string? NoCallsBecause => Status.SeccompMode > 0 ? "the target is under seccomp: its filter may answer an injected call by killing it"
        : IsFrozen ? "the target's cgroup is frozen: what it is made to call would run once it is thawed, when nobody waits for it any more"
        : null;

    private bool IsFrozen { get; init; }

    internal uint CoredumpFilter { get; private init; } = UsualFilter;

    internal bool IsCoreClr { get; private init; }

    /// <summary>Whether the agent may open its mem file by itself, without anything being done in the target.</summary>
    internal bool CanOpenMem { get; private init; }

    /// <summary>Opens a process and checks that it is the one meant and one that can be looked at.</summary>
    /// <param name="target">Pid and, unless 0, start time.</param>
    /// <param name="mayBeTraced">Whether it may be traced: by a capture that is being ended, before that has been waited for.</param>
    /// <exception cref="CaptureException">It is not there, not the same, or none that can be stopped.</exception>
    internal static ProcessDirectory Open(ProcessRef target, bool mayBeTraced = false)
    {
        ProcessDirectory directory;
        try
        {
            directory = ProcessDirectory.Open(target.Pid);
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw NotThere(target);
        }

        try
        {
            Check(directory, target, mayBeTraced);
            return directory;
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            directory.Dispose();
            throw NotThere(target);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Reads the facts. The directory stays the caller's, but <see cref="Directory"/> may be another one.</summary>
    /// <param name="directory">The process.</param>
    /// <param name="limits">The largest target; null for as large as can be read.</param>
    /// <exception cref="CaptureException">The process has gone, is too large, or its files are refused.</exception>
    internal static TargetFacts Read(ProcessDirectory directory, TargetLimits? limits = null)
    {
        try
        {
            TaskStat stat = directory.ReadStat();
            TaskStatus status = directory.ReadStatus();
            limits?.RequireThreads(directory.Pid, status.ThreadCount);
            ProcessDirectory source = stat.IsZombie ? OpenLiveTask(directory) : directory;
            List<VmaDetails> vmas = source.ReadSmaps(limits: limits?.Procfs);
            return new TargetFacts(source, stat, source == directory ? status : source.ReadStatus(), vmas)
            {
                CoredumpFilter = ReadFilter(source),
                IsCoreClr = vmas.Any(v => v.Vma.Name.EndsWith("/libcoreclr.so", StringComparison.Ordinal)),
                CanOpenMem = source.CanOpenMemory(),
                IsFrozen = ReadFrozen(directory, source.Tid),
            };
        }
        catch (ProcfsLimitException) when (limits is not null)
        {
            throw limits.TooManyVmas(directory.Pid);
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw JustEnded(directory);
        }
        catch (SyscallException failure) when (failure.IsDenied)
        {
            throw new CaptureException(
                CaptureFailure.DeniedByKernel,
                $"the kernel refuses to look at process {directory.Pid} ({failure.Message}): check the agent's capabilities, Yama and security modules");
        }
    }

    /// <summary>Pid and start time.</summary>
    /// <exception cref="CaptureException">It has just ended.</exception>
    internal static ProcessRef Identify(ProcessDirectory directory) => WhileThere(directory, () => directory.ReadIdentity());

    /// <summary>Number of its threads.</summary>
    /// <exception cref="CaptureException">It has just ended.</exception>
    internal static int CountThreads(ProcessDirectory directory) => WhileThere(directory, () => directory.ReadStatus().ThreadCount);

    /// <summary>
    /// Whether one of a target's tasks is so, whoever traces it: a lost worker may still hold some. False for one that has gone.
    /// </summary>
    internal static bool AnyTask(ProcessRef target, Predicate<TaskStatus> isSo)
    {
        try
        {
            using ProcessDirectory directory = Open(target, mayBeTraced: true);
            using var buffer = new ProcfsBuffer();
            return directory.ListTasks().Exists(tid => IsSo(directory, tid, buffer, isSo));
        }
        catch (Exception failure) when (failure is CaptureException or SyscallException)
        {
            return false;
        }
    }

    private static bool IsSo(ProcessDirectory directory, int tid, ProcfsBuffer buffer, Predicate<TaskStatus> isSo)
    {
        try
        {
            return isSo(directory.ReadTaskStatus(tid, buffer));
        }
        catch (SyscallException)
        {
            return false; // gone meanwhile
        }
    }

    private static T WhileThere<T>(ProcessDirectory directory, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw JustEnded(directory);
        }
    }

    private static void Check(ProcessDirectory directory, ProcessRef target, bool mayBeTraced)
    {
        TaskStatus status = directory.ReadStatus();
        if (!status.IsLeader)
        {
            throw new CaptureException(
                CaptureFailure.NotAProcess,
                string.Create(CultureInfo.InvariantCulture, $"{target.Pid} is a thread of process {status.Tgid}: use {status.Tgid}"));
        }

        TaskStat stat = directory.ReadStat();
        if (target.StartTimeTicks != 0 && stat.StartTimeTicks != target.StartTimeTicks)
        {
            throw new CaptureException(
                CaptureFailure.IdentityChanged,
                $"pid {target.Pid} belongs to another process by now (started at tick {stat.StartTimeTicks}, not {target.StartTimeTicks}): look it up again");
        }

        if (stat.IsKernelThread)
        {
            throw new CaptureException(CaptureFailure.KernelThread, $"{target.Pid} is a kernel thread: it has no memory of its own to look at");
        }

        if (stat.IsZombie && directory.ListTasks().Count <= 1)
        {
            throw new CaptureException(CaptureFailure.Zombie, $"process {target.Pid} has ended already and waits for its parent to notice");
        }

        if (status.TracerPid != 0 && !mayBeTraced)
        {
            throw new CaptureException(CaptureFailure.TargetTraced, DescribeTracer(target.Pid, status.TracerPid));
        }
    }

    /// <summary>Says who traces a process, and what to do.</summary>
    internal static string DescribeTracer(int pid, int tracer)
    {
        string name = "?";
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(tracer);
            name = directory.ReadStat().Name;
        }
        catch (SyscallException)
        {
            // Gone already, or in another pid namespace.
        }

        return $"process {pid} is traced by {name} (pid {tracer}): only one tracer is possible, so end that one first";
    }

    private static CaptureException JustEnded(ProcessDirectory directory) =>
        new(CaptureFailure.TargetExited, $"process {directory.Pid} ended while it was looked at");

    private static CaptureException NotThere(ProcessRef target) => target.StartTimeTicks == 0
        ? new CaptureException(CaptureFailure.NoSuchProcess, $"there is no process {target.Pid} in the agent's pid namespace")
        : new CaptureException(CaptureFailure.NoSuchProcess, $"process {target.Pid} (started at tick {target.StartTimeTicks}) has ended");

    private static ProcessDirectory OpenLiveTask(ProcessDirectory directory)
    {
        foreach (int tid in directory.ListTasks())
        {
            ProcessDirectory task = directory.ForTask(tid);
            if (!task.ReadStat().IsZombie)
            {
                return task;
            }

            task.Dispose();
        }

        throw JustEnded(directory);
    }

    /// <summary>Whether a task waits in a freezer: that of the unified hierarchy, or that of version 1, where it is in state D.</summary>
    private static bool ReadFrozen(ProcessDirectory directory, int tid)
    {
        using var buffer = new ProcfsBuffer();
        try
        {
            // A task that job control has stopped waits at the same place, in state T.
            return directory.ReadTaskStat(tid, buffer).State is 'S' or 'D'
                && directory.ReadWaitChannel(tid, buffer) is "get_signal" or "do_freezer_trap" or "__refrigerator";
        }
        catch (SyscallException failure) when (failure.IsDenied)
        {
            return false;
        }
    }

    private static uint ReadFilter(ProcessDirectory directory)
    {
        try
        {
            string text = Encoding.ASCII.GetString(directory.ReadFile("coredump_filter")).Trim();
            return uint.TryParse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture, out uint filter) ? filter : UsualFilter;
        }
        catch (SyscallException)
        {
            return UsualFilter; // refused, or not there: a live task's directory has none once the leader has ended
        }
    }
}
