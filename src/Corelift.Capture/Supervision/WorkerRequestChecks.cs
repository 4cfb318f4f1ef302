using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Supervision;

/// <summary>What a supervisor lets a front end ask workers for.</summary>
public sealed record SupervisorLimits
{
    /// <summary>Longest stop budget.</summary>
    public TimeSpan MaxStopBudget { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Longest time that a target can be held in all.</summary>
    public TimeSpan MaxHold { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Most workers at once.</summary>
    public int MaxWorkers { get; init; } = WorkersFor(32);

    /// <summary>A snapshot that is streamed while its target is stopped holds it for a whole stop budget.</summary>
    internal TimeSpan LongestHold => MaxHold > MaxStopBudget ? MaxHold : MaxStopBudget;

    /// <summary>Workers for a number of stops and captures at once: some may be ending while the next begin.</summary>
    public static int WorkersFor(int maxCaptures) => (2 * maxCaptures) + 8;
}

/// <summary>Checks a request for a worker as if an enemy had written it.</summary>
internal static class WorkerRequestChecks
{
    private const int MaxDepth = 256;

    /// <param name="request">The request.</param>
    /// <param name="limits">What may be asked for.</param>
    /// <param name="own">Processes of ours; their children and ancestors are ours, too.</param>
    /// <returns>Why it is refused, or None.</returns>
    internal static WorkerRefusal Check(in WorkerRequest request, SupervisorLimits limits, ReadOnlySpan<int> own)
    {
        if (request is { Task: WorkerTask.Nothing, Pid: 0, StartTimeTicks: 0, Quiesces: 0 })
        {
            return WorkerRefusal.None;
        }

        if (!IsSound(request, limits))
        {
            return WorkerRefusal.BadRequest;
        }

        TaskIdentity identity;
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(request.Pid);
            identity = TaskIdentity.Read(directory);
        }
        catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
        {
            return WorkerRefusal.TargetGone;
        }

        return identity.StartTimeTicks != request.StartTimeTicks ? WorkerRefusal.TargetGone
            : IsOurs(request.Pid, identity.ParentPid, own) ? WorkerRefusal.OwnProcess
            : WorkerRefusal.None;
    }

    private static bool IsSound(in WorkerRequest request, SupervisorLimits limits)
    {
        bool isTask = request.Task is WorkerTask.Capture or WorkerTask.Stop or WorkerTask.Reap or WorkerTask.Precopy;
        bool stops = request.Task != WorkerTask.Reap;
        return isTask
            && request.Pid > 0
            && request.StartTimeTicks > 0
            && request.Strategy is >= CaptureStrategy.Auto and <= CaptureStrategy.Precopy
            && request.Content is >= CaptureContent.Default and <= CaptureContent.Stacks
            && (!stops || IsWithin(request.StopBudgetNanoseconds, limits.MaxStopBudget))
            && (request.Task != WorkerTask.Stop || IsWithin(request.HoldNanoseconds, limits.LongestHold))
            && (stops || request.ImagePid >= 0)
            && request.PauseCopyLimitBytes >= 0
            && request.SpoolLimitBytes >= 0
            && request.HasSpoolFile is 0 or 1
            && request.Quiesces is 0 or 1
            && request.AsksFirst is 0 or 1;
    }

    private static bool IsWithin(long nanoseconds, TimeSpan most) => nanoseconds > 0 && nanoseconds / 100 <= most.Ticks;

    private static bool IsOurs(int pid, int parent, ReadOnlySpan<int> own)
    {
        foreach (int ours in own)
        {
            if (pid == ours || parent == ours)
            {
                return true;
            }

            int ancestor = ours;
            for (int depth = 0; ancestor > 0 && depth < MaxDepth; depth++)
            {
                ancestor = ParentOf(ancestor);
                if (ancestor == pid)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static int ParentOf(int pid)
    {
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(pid);
            return TaskIdentity.Read(directory).ParentPid;
        }
        catch (Exception failure) when (failure is SyscallException or ProcfsFormatException)
        {
            return 0;
        }
    }
}
