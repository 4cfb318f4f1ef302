using Corelift.Linux.Interop;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Corelift.Linux.Scheduling;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Ptrace;

/// <content>
/// Quiescing: the tasks are gathered on one CPU and lowered to SCHED_IDLE; then the tracer, which is SCHED_FIFO, moves to that CPU
/// itself. From that moment on none of them runs, and what takes time after it, the requests one by one, adds no skew. They get
/// their schedules back as soon as all have been interrupted, before the tracer first sleeps: from then on a task that gets a CPU
/// uses it to stop. Those that sleep in a fragile call are interrupted later, as in any stop, and sleep on till then.
/// </content>
public sealed partial class TraceSession
{
    private const long QuiesceNanoseconds = 4_000_000;
    private const long QuiesceNanosecondsPerTask = 8_000;

    private ScheduleClasses? _classes;
    private SafeFileHandle? _journal;
    private CpuMask _ownCpus;
    private long _quiescedAt;

    /// <summary>The kernel's own time slice, which a task that asked for none has, this thread among them.</summary>
    private readonly ulong _ownSlice = TaskSchedule.TryRead(0, out TaskSchedule own) ? own.Slice : 0;

    /// <summary>How long the target ran on one CPU at lowest priority before the stop, in nanoseconds; 0 where it did not.</summary>
    public long QuiescedNanoseconds { get; private set; }

    /// <summary>Gathers all seized tasks on one CPU at lowest priority, shortly before <see cref="StopAll"/>.</summary>
    /// <param name="journal">File that another process finds the schedules in, should this one be killed.</param>
    /// <returns>Null, or why it was not done: one sentence. The tasks then have their own schedules.</returns>
    public string? Quiesce(SafeFileHandle journal)
    {
        if (!CpuMask.TryGet(0, out _ownCpus) || _ownCpus.Count < 2 || !CpuMask.TryGet(_directory.Pid, out CpuMask leaderCpus))
        {
            return "the agent may use one CPU only";
        }

        int cpu = leaderCpus.And(_ownCpus).Last;
        if (cpu < 0)
        {
            return "the target and the agent share no CPU";
        }

        _classes = new ScheduleClasses(_directory.ReadLeaderIdentity(), cpu, _ownSlice);
        _journal = journal;
        _ = CpuMask.Set(0, _ownCpus.Except(_classes.Pin)); // not in their way while they are gathered
        string? reason = Classify();
        _quiescedAt = MonotonicClock.Nanoseconds;
        reason ??= Lower(_quiescedAt + QuiesceNanoseconds + (_count * QuiesceNanosecondsPerTask));
        if (reason is not null)
        {
            _ = CpuMask.Set(0, _ownCpus);
            RestoreStragglers();
        }

        return reason;
    }

    /// <summary>
    /// After the resume, or after a stop that was given up: gives their schedules to tasks and processes that were born
    /// quiesced and not seen. Closes the journal.
    /// </summary>
    public void RestoreStragglers()
    {
        if (_classes is not null)
        {
            _ = QuiesceJournal.RestoreAll(_classes);
            QuiesceJournal.Clear(_journal!);
            _classes = null;
        }
    }

    private string? Classify()
    {
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.State == TraceeState.Seized && TaskSchedule.TryRead(tracee.Tid, out TaskSchedule schedule) && schedule.IsKnown)
            {
                tracee.ScheduleClass = _classes!.Classify(ref schedule) + 1;
                if (tracee.ScheduleClass == 0)
                {
                    return "its threads have too many different schedules";
                }
            }
        }

        if (!_classes!.TryMark())
        {
            return "its threads have too many different schedules";
        }

        try
        {
            QuiesceJournal.Write(_journal!, _classes);
            return null;
        }
        catch (IOException failure)
        {
            return $"its schedules cannot be noted ({failure.Message})";
        }
    }

    private string? Lower(long deadline)
    {
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.ScheduleClass == 0)
            {
                continue;
            }

            Errno errno = _classes!.Lower(tracee.Tid, tracee.ScheduleClass - 1, out bool isTouched);
            tracee.ScheduleClass = isTouched ? tracee.ScheduleClass : 0;
            if (errno != Errno.None)
            {
                return $"thread {tracee.Tid} cannot be moved ({errno})";
            }

            if (MonotonicClock.Nanoseconds > deadline)
            {
                return "gathering its threads took too long";
            }
        }

        return null;
    }

    /// <summary>Interrupts all while none of the quiesced can run, and gives them their schedules back.</summary>
    private void InterruptQuiesced()
    {
        _ = CpuMask.Set(0, _classes!.Pin); // returns on that CPU
        long before = Sleeps();
        StopStartedAt = MonotonicClock.Nanoseconds;
        QuiescedNanoseconds = StopStartedAt - _quiescedAt;
        RunStep(TeamStep.Interrupt, sleeps: false);
        bool held = Sleeps() == before;
        RunStep(TeamStep.RestoreSchedules, sleeps: false);
        _ = CpuMask.Set(0, _ownCpus);
        for (int i = 0; held && i < _count; i++)
        {
            if (_tracees[i].ScheduleClass != 0 && _tracees[i].State == TraceeState.StopRequested)
            {
                _tracees[i].InterruptedAt = StopStartedAt;
                _tracees[i].IsHeld = true;
            }
        }
    }

    private void RestoreShare(int member)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_tracees[i].Owner == member && _tracees[i].State is (TraceeState.StopRequested or TraceeState.Seized))
            {
                _ = _classes!.Restore(_tracees[i].Tid, _tracees[i].ScheduleClass - 1);
            }
        }
    }

    /// <summary>
    /// How often this thread has gone to sleep (ru_nvcsw). Unchanged, no task of lower priority has run on its CPU: one of higher
    /// priority may have, but this one was next each time.
    /// </summary>
    private static unsafe long Sleeps()
    {
        const int Thread = 1; // RUSAGE_THREAD
        const int VoluntarySwitches = 16;
        long* usage = stackalloc long[18];
        return LibC.Getrusage(Thread, usage) == 0 ? usage[VoluntarySwitches] : -1;
    }
}
