using Corelift.Linux;
using Corelift.Linux.Procfs;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Agent.Access;

/// <summary>Reads what a decision rests on through a held /proc directory: it is of one process, whoever gets its pid later.</summary>
internal sealed class TargetIdentityReader(IPodDirectory pods)
{
    /// <summary>Whether the pods of this host can be known at all.</summary>
    internal bool KnowsPods => pods is not NoPodDirectory;

    /// <summary>Reads it.</summary>
    /// <exception cref="SyscallException">The process has gone, or the kernel refuses.</exception>
    /// <exception cref="AccessUnavailableException">Its pod could not be looked up.</exception>
    internal async ValueTask<TargetIdentity> ReadAsync(ProcessDirectory directory, CancellationToken cancellationToken)
    {
        TargetIdentity identity = Read(directory);
        PodIdentity? pod = await pods.FindAsync(identity.ContainerId, cancellationToken).ConfigureAwait(false);
        return identity with { Pod = pod };
    }

    /// <summary>Whether nothing changed that a process or its manager can change. Labels of a pod are not looked at.</summary>
    internal static bool AreSame(TargetIdentity one, TargetIdentity other) =>
        one.Process == other.Process && one.Uids.SequenceEqual(other.Uids) && one.Executable == other.Executable
        && one.Cgroup == other.Cgroup && one.IsDumpable == other.IsDumpable && one.Pod?.Uid == other.Pod?.Uid;

    private static TargetIdentity Read(ProcessDirectory directory)
    {
        using var buffer = new ProcfsBuffer();
        TaskStat stat = directory.ReadStat(buffer);
        TaskStatus status = directory.ReadStatus(buffer);
        CgroupPath cgroup = directory.ReadCgroup(buffer);
        Credentials uid = status.Uid;
        return new TargetIdentity(new ProcessRef(directory.Pid, stat.StartTimeTicks))
        {
            Uids = [uid.Real, uid.Effective, uid.Saved, uid.FileSystem],
            Executable = ReadExecutable(directory, stat),
            Cgroup = cgroup.Path,
            ContainerId = cgroup.ContainerId,
            IsDumpable = directory.IsDumpable(uid),
        };
    }

    /// <summary>The link of a task that lives: an exited leader has none.</summary>
    private static string ReadExecutable(ProcessDirectory directory, TaskStat stat)
    {
        foreach (int tid in stat.IsZombie ? directory.ListTasks() : [directory.Pid])
        {
            try
            {
                using ProcessDirectory task = directory.ForTask(tid);
                return task.ReadLink("exe");
            }
            catch (SyscallException failure) when (failure.IsTaskGone || failure.IsDenied)
            {
                // Another one may be left; where none is, no pattern of a path fits.
            }
        }

        return string.Empty;
    }
}
