using System.Globalization;

namespace Corelift.Linux.Procfs;

/// <summary>Reads and parses the files of <see cref="ProcessDirectory"/>. Each throws what reading and parsing throw.</summary>
public static class ProcessFiles
{
    /// <summary>Reads stat.</summary>
    public static TaskStat ReadStat(this ProcessDirectory directory, ProcfsBuffer? buffer = null)
    {
        ArgumentNullException.ThrowIfNull(directory);
        using ProcfsBuffer? own = buffer is null ? new ProcfsBuffer() : null;
        return TaskStat.Parse(directory.ReadFile("stat", buffer ?? own!));
    }

    /// <summary>Reads status. A task that is just being released is gone already (ESRCH): its file names no thread group.</summary>
    public static TaskStatus ReadStatus(
        this ProcessDirectory directory, ProcfsBuffer? buffer = null, ProcfsLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(directory);
        using ProcfsBuffer? own = buffer is null ? new ProcfsBuffer() : null;
        return NotReleased(TaskStatus.Parse(directory.ReadFile("status", buffer ?? own!, limits), limits ?? ProcfsLimits.Default));
    }

    /// <summary>Reads maps. Empty for a zombie, a zombie leader among them: use <see cref="ProcessDirectory.ForTask"/>.</summary>
    public static List<Vma> ReadMaps(this ProcessDirectory directory, ProcfsBuffer? buffer = null, ProcfsLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(directory);
        using ProcfsBuffer? own = buffer is null ? new ProcfsBuffer() : null;
        return MapsParser.Parse(directory.ReadFile("maps", buffer ?? own!, limits), limits ?? ProcfsLimits.Default);
    }

    /// <summary>Reads smaps, which holds the target's memory lock for a while: about 5 ms for 1,000 VMAs.</summary>
    public static List<VmaDetails> ReadSmaps(
        this ProcessDirectory directory, ProcfsBuffer? buffer = null, ProcfsLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(directory);
        using ProcfsBuffer? own = buffer is null ? new ProcfsBuffer() : null;
        return SmapsParser.Parse(directory.ReadFile("smaps", buffer ?? own!, limits), limits ?? ProcfsLimits.Default);
    }

    /// <summary>Reads cgroup.</summary>
    public static CgroupPath ReadCgroup(
        this ProcessDirectory directory, ProcfsBuffer? buffer = null, ProcfsLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(directory);
        using ProcfsBuffer? own = buffer is null ? new ProcfsBuffer() : null;
        return CgroupPath.Parse(directory.ReadFile("cgroup", buffer ?? own!, limits), limits ?? ProcfsLimits.Default);
    }

    /// <summary>Reads stat of one of the process's tasks.</summary>
    public static TaskStat ReadTaskStat(this ProcessDirectory directory, int tid, ProcfsBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(directory);
        return TaskStat.Parse(directory.ReadFile(TaskPath(tid, "stat"), buffer));
    }

    /// <summary>Reads status of one of the process's tasks; gone as with <see cref="ReadStatus"/>.</summary>
    public static TaskStatus ReadTaskStatus(this ProcessDirectory directory, int tid, ProcfsBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(directory);
        return NotReleased(TaskStatus.Parse(directory.ReadFile(TaskPath(tid, "status"), buffer), ProcfsLimits.Default));
    }

    /// <summary>Reads which function of the kernel a task waits in; empty where it runs, or the kernel does not say.</summary>
    public static string ReadWaitChannel(this ProcessDirectory directory, int tid, ProcfsBuffer buffer)
    {
        ArgumentNullException.ThrowIfNull(directory);
        string name = ProcfsText.Decode(directory.ReadGatedFile(TaskPath(tid, "wchan"), buffer));
        return name == "0" ? string.Empty : name;
    }

    /// <summary>Reads the pid and start time: which incarnation the directory belongs to.</summary>
    public static ProcessRef ReadIdentity(this ProcessDirectory directory, ProcfsBuffer? buffer = null) =>
        new(directory.Pid, directory.ReadStat(buffer).StartTimeTicks);

    /// <summary>
    /// The same from the leader's own stat, which does not add up all its tasks: of 10,000 tasks that takes 3 ms (measured).
    /// </summary>
    public static ProcessRef ReadLeaderIdentity(this ProcessDirectory directory) =>
        new(directory.Pid, TaskStat.Parse(directory.ReadFile(TaskPath(directory.Pid, "stat"))).StartTimeTicks);

    private static TaskStatus NotReleased(TaskStatus status) =>
        status.IsReleased ? throw new SyscallException("read(status)", status.Tid, Errno.NoSuchTask) : status;

    private static string TaskPath(int tid, string name) => string.Create(CultureInfo.InvariantCulture, $"task/{tid}/{name}");
}
