using System.Globalization;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using Grpc.Core;
using LinuxRef = Corelift.Linux.ProcessRef;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Agent.Services;

/// <summary>A process that a request names: open, and the incarnation that is meant.</summary>
internal sealed class TargetLookup : IDisposable
{
    private TargetLookup(ProcessDirectory directory, TaskStat stat, TaskStatus status)
    {
        Directory = directory;
        Stat = stat;
        Status = status;
    }

    /// <summary>Its /proc directory.</summary>
    internal ProcessDirectory Directory { get; }

    /// <summary>Its stat.</summary>
    internal TaskStat Stat { get; }

    /// <summary>Its status.</summary>
    internal TaskStatus Status { get; }

    /// <summary>Opens the process for looking; zombies can be looked at, kernel threads cannot.</summary>
    /// <exception cref="RpcException">It is not there, another one, or none.</exception>
    internal static TargetLookup Open(LinuxRef wanted)
    {
        ProcessDirectory? directory = null;
        try
        {
            directory = ProcessDirectory.Open(wanted.Pid);
            var found = new TargetLookup(directory, directory.ReadStat(), directory.ReadStatus());
            found.Verify(wanted);
            return found;
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            directory?.Dispose();
            throw NotThere(wanted.Pid);
        }
        catch
        {
            directory?.Dispose();
            throw;
        }
    }

    /// <summary>Runs a look at the open process; an end in the middle of it is the client's to know.</summary>
    internal T Look<T>(Func<TargetLookup, T> look)
    {
        try
        {
            return look(this);
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            throw NotThere(Directory.Pid);
        }
        catch (SyscallException failure) when (failure.IsDenied)
        {
            throw RpcErrors.Make(
                ErrorReason.PermissionDeniedByKernel, string.Create(CultureInfo.InvariantCulture, $"the kernel refuses to show process {Directory.Pid} ({failure.Message})"));
        }
    }

    /// <summary>
    /// A task that has the process's memory: the leader, or, where that has exited, another one. Null where none is left.
    /// Dispose it unless it is <see cref="Directory"/>.
    /// </summary>
    internal ProcessDirectory? FindLiveTask()
    {
        if (!Stat.IsZombie)
        {
            return Directory;
        }

        foreach (int tid in Directory.ListTasks())
        {
            ProcessDirectory? task = null;
            try
            {
                task = Directory.ForTask(tid);
                if (!task.ReadStat().IsZombie)
                {
                    return task;
                }
            }
            catch (SyscallException failure) when (failure.IsTaskGone)
            {
                // Another one may be left.
            }

            task?.Dispose();
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Dispose();

    private static RpcException NotThere(int pid) =>
        RpcErrors.Make(ErrorReason.NoSuchProcess, $"there is no process {pid} in the agent's pid namespace");

    private void Verify(LinuxRef wanted)
    {
        if (!Status.IsLeader)
        {
            throw RpcErrors.Make(
                ErrorReason.NotAProcess, $"{wanted.Pid} is a thread of process {Status.Tgid}", ("pid", Status.Tgid.ToString(CultureInfo.InvariantCulture)));
        }

        if (wanted.StartTimeTicks != 0 && wanted.StartTimeTicks != Stat.StartTimeTicks)
        {
            throw RpcErrors.Make(ErrorReason.IdentityChanged, $"pid {wanted.Pid} belongs to another process by now, started at tick {Stat.StartTimeTicks}");
        }

        if (Stat.IsKernelThread)
        {
            throw RpcErrors.Make(ErrorReason.KernelThread, $"{wanted.Pid} is a kernel thread");
        }
    }
}
