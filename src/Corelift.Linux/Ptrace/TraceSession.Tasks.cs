using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Linux.Ptrace;

/// <content>Seizing and waiting, task by task.</content>
public sealed partial class TraceSession
{
    private TraceOutcome SeizeNew(bool interrupt, out bool found)
    {
        found = false;
        List<int> tids;
        try
        {
            tids = _directory.ListTasks();
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            return TraceOutcome.TargetExited;
        }

        foreach (int tid in tids)
        {
            if (!_known.Add(tid))
            {
                continue;
            }

            Errno errno = Seize(tid);
            if (errno == Errno.None)
            {
                found = true;
                if (interrupt)
                {
                    RequestStop(ref _tracees[_count - 1]);
                }
            }
            else if (errno != Errno.NoSuchTask && TaskState(tid) is not ('Z' or 'X' or '\0'))
            {
                return Explain(tid);
            }
        }

        return TraceOutcome.Done;
    }

    private Errno Seize(int tid)
    {
        Volatile.Write(ref _seizingSince, MonotonicClock.Nanoseconds);
        Errno errno = PtraceCalls.Seize(tid, TargetOptions);
        Volatile.Write(ref _seizingSince, 0);
        if (errno == Errno.None)
        {
            if (_count == _tracees.Length)
            {
                Array.Resize(ref _tracees, _tracees.Length * 2);
            }

            _known.Add(tid);
            _tracees[_count] = new Tracee { Tid = tid, State = TraceeState.Seized };
            Volatile.Write(ref _count, _count + 1);
        }

        return errno;
    }

    private static void RequestStop(ref Tracee tracee)
    {
        tracee.State = TraceeState.StopRequested; // a task that has gone shows in the wait
        _ = PtraceCalls.Interrupt(tracee.Tid);
    }

    private TraceOutcome WaitForStops(long deadline)
    {
        long relax = FirstRelaxNanoseconds;
        while (true)
        {
            int pending = 0;
            for (int i = 0; i < _count; i++)
            {
                if (_tracees[i].State == TraceeState.StopRequested && !TryTakeStop(ref _tracees[i], out bool execed))
                {
                    if (execed)
                    {
                        BlamedTid = _tracees[i].Tid;
                        return TraceOutcome.TargetExeced;
                    }

                    pending++;
                    BlamedTid = _tracees[i].Tid;
                }
            }

            if (pending == 0)
            {
                BlamedTid = 0;
                return TraceOutcome.Done;
            }

            if (MonotonicClock.Nanoseconds > deadline)
            {
                return TraceOutcome.DeadlinePassed;
            }

            MonotonicClock.Relax(relax);
            relax = Math.Min(relax + (relax / 4), LongestRelaxNanoseconds);
        }
    }

    private static bool TryTakeStop(ref Tracee tracee, out bool execed)
    {
        execed = false;
        if (!PtraceCalls.TryWait(tracee.Tid, out PtraceStop stop, out Errno errno))
        {
            if (errno == Errno.NoChild)
            {
                tracee.State = TraceeState.Gone;
                return true;
            }

            return false;
        }

        if (stop is { Kind: PtraceStopKind.Event, Event: PtraceStop.EventExec })
        {
            tracee.State = TraceeState.Stopped; // to be detached
            execed = true;
            return false;
        }

        tracee.State = stop.IsStopped ? TraceeState.Stopped : TraceeState.Gone;
        tracee.Kind = stop.Kind;
        tracee.Signal = stop.Signal;
        tracee.StoppedAt = MonotonicClock.Nanoseconds;
        return true;
    }

    /// <summary>Whether the process has no task besides the stopped ones (and an exited leader, which stays counted).</summary>
    private bool IsComplete()
    {
        int stopped = 0;
        bool leaderStopped = false;
        for (int i = 0; i < _count; i++)
        {
            if (_tracees[i].State == TraceeState.Stopped)
            {
                stopped++;
                leaderStopped |= _tracees[i].Tid == _directory.Pid;
            }
        }

        int counted = ReadThreadCount();
        return counted == stopped || (counted == stopped + 1 && !leaderStopped && TaskState(_directory.Pid) == 'Z');
    }

    private void RecheckStopped()
    {
        for (int i = 0; i < _count; i++)
        {
            if (_tracees[i].State == TraceeState.Stopped && PtraceCalls.TryWait(_tracees[i].Tid, out PtraceStop stop, out _)
                && !stop.IsStopped)
            {
                _tracees[i].State = TraceeState.Gone;
            }
        }
    }

    private int ReadThreadCount()
    {
        try
        {
            return TaskStatus.Parse(_directory.ReadFile("status", _buffer), ProcfsLimits.Default).ThreadCount;
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            return 0;
        }
    }

    /// <summary>Moves the stopped tasks to the front and computes the skew.</summary>
    private void Compact()
    {
        int stopped = 0;
        long first = long.MaxValue;
        long last = 0;
        for (int i = 0; i < _count; i++)
        {
            if (_tracees[i].State == TraceeState.Stopped)
            {
                (_tracees[stopped], _tracees[i]) = (_tracees[i], _tracees[stopped]);
                first = Math.Min(first, _tracees[stopped].StoppedAt);
                last = Math.Max(last, _tracees[stopped].StoppedAt);
                IsGroupStopped |= _tracees[stopped].Kind == PtraceStopKind.GroupStop;
                stopped++;
            }
        }

        StoppedCount = stopped;
        SkewNanoseconds = stopped > 0 ? Math.Max(0, last - first) : 0;
    }

    /// <summary>
    /// Tasks that were seized but never stopped cannot be detached: their tracer's end releases them, without a stop.
    /// </summary>
    private void ReleaseRunning()
    {
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.State is TraceeState.Seized or TraceeState.StopRequested)
            {
                HasRunningTracees = true;
            }
        }
    }

    /// <summary>Whether seized tasks remain that only the end of this thread can release.</summary>
    public bool HasRunningTracees { get; private set; }

    /// <summary>Whether a task is under seccomp; each has filters of its own. True where /proc does not say.</summary>
    internal bool IsFiltered(int index)
    {
        try
        {
            string name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"task/{Tid(index)}/status");
            return TaskStatus.Parse(_directory.ReadFile(name, _buffer), ProcfsLimits.Default).SeccompMode != 0;
        }
        catch (SyscallException)
        {
            return true;
        }
    }

    private char TaskState(int tid)
    {
        try
        {
            string name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"task/{tid}/stat");
            return TaskStat.Parse(_directory.ReadFile(name)).State;
        }
        catch (SyscallException)
        {
            return '\0';
        }
    }

    private TraceOutcome Explain(int tid)
    {
        BlamedTid = tid;
        try
        {
            string name = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"task/{tid}/status");
            TaskStatus status = TaskStatus.Parse(_directory.ReadFile(name), ProcfsLimits.Default);
            return status.TracerPid != 0 ? TraceOutcome.AlreadyTraced : TraceOutcome.Denied;
        }
        catch (SyscallException)
        {
            return TraceOutcome.TargetExited;
        }
    }
}
