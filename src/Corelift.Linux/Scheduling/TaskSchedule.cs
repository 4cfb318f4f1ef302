using System.Runtime.InteropServices;
using Corelift.Linux.Interop;

namespace Corelift.Linux.Scheduling;

/// <summary>
/// How a task is scheduled: where it may run, its policy, its nice value (kept beside a real-time priority, too), its
/// real-time priority, the reset-on-fork flag, and its time slice where it asked for one. Fixed layout: it goes into a journal.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TaskSchedule
{
    internal const uint Other = 0;      // SCHED_OTHER
    internal const uint Fifo = 1;       // SCHED_FIFO
    internal const uint RoundRobin = 2; // SCHED_RR
    internal const uint Batch = 3;      // SCHED_BATCH
    internal const uint Idle = 5;       // SCHED_IDLE

    private const int NiceOffset = 20;

    internal uint Policy;
    internal uint Priority;
    internal int Nice;
    internal int ResetsOnFork;

    /// <summary>In nanoseconds; of fair policies on kernels that have it, also where it is the kernel's own.</summary>
    internal ulong Slice;
    internal CpuMask Cpus;

    internal readonly bool IsRealTime => Policy is Fifo or RoundRobin;

    /// <summary>Whether it can be taken away and given back: SCHED_DEADLINE may not get its bandwidth again.</summary>
    internal readonly bool IsKnown => Policy is Other or Fifo or RoundRobin or Batch or Idle;

    /// <returns>False where the task has gone.</returns>
    internal static unsafe bool TryRead(int tid, out TaskSchedule schedule)
    {
        schedule = default;
        SchedAttributes attributes = default;
        int nice = LibC.Getpriority(tid);
        if (nice < 0 || !LibC.SchedGetattr(tid, &attributes) || !CpuMask.TryGet(tid, out schedule.Cpus))
        {
            return false;
        }

        schedule.Policy = attributes.Policy;
        schedule.Priority = attributes.Priority;
        schedule.Nice = NiceOffset - nice;
        schedule.ResetsOnFork = (attributes.Flags & SchedAttributes.ResetOnForkFlag) != 0 ? 1 : 0;
        schedule.Slice = schedule.IsRealTime ? 0 : attributes.Runtime;
        return true;
    }

    /// <summary>Sets policy, priority, nice value and flag, and leaves the CPUs. SCHED_OTHER and SCHED_BATCH are set in one step.</summary>
    internal readonly unsafe Errno Apply(int tid)
    {
        var attributes = new SchedAttributes
        {
            SizeBytes = SchedAttributes.FirstSizeBytes,
            Policy = Policy,
            Flags = ResetsOnFork != 0 ? SchedAttributes.ResetOnForkFlag : 0,
            Nice = Nice,
            Priority = Priority,
            Runtime = Slice,
        };
        if (!LibC.SchedSetattr(tid, &attributes))
        {
            return (Errno)Marshal.GetLastPInvokeError();
        }

        // sched_setattr sets the nice value of SCHED_OTHER and SCHED_BATCH only; the others keep the one that was there.
        return Policy is Other or Batch ? Errno.None : SetNice(tid, Nice);
    }

    /// <summary>setpriority(2) of one task.</summary>
    internal static Errno SetNice(int tid, int nice) =>
        LibC.Setpriority(0, tid, nice) == 0 ? Errno.None : (Errno)Marshal.GetLastPInvokeError();

    /// <summary>What a child of a task with this schedule has (sched_fork() in the kernel).</summary>
    internal readonly TaskSchedule OfChild()
    {
        TaskSchedule child = this;
        if (ResetsOnFork != 0)
        {
            child.ResetsOnFork = 0;
            child.Policy = IsRealTime ? Other : Policy;
            child.Priority = 0;
            child.Nice = IsRealTime ? 0 : Math.Max(0, Nice);
        }

        return child;
    }

    /// <summary>Whether all is the same but the CPUs.</summary>
    internal readonly bool HasSamePolicy(in TaskSchedule other) =>
        Policy == other.Policy && Priority == other.Priority && Nice == other.Nice && ResetsOnFork == other.ResetsOnFork && Slice == other.Slice;

    internal readonly bool IsSame(in TaskSchedule other) => HasSamePolicy(other) && Cpus.IsSame(other.Cpus);
}
