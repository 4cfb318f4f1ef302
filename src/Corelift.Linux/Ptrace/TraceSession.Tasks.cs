using Corelift.Linux.Procfs;

namespace Corelift.Linux.Ptrace;

/// <content>Seizing and waiting, task by task.</content>
public sealed partial class TraceSession
{
    private const int TasksPerTurn = 16;

    private enum SeizeMode
    {
        /// <summary>As listed, by the whole team.</summary>
        InOrder,

        /// <summary>By the whole team at raised priority; tasks that run now first, as they will be interrupted in this order.</summary>
        RunningFirst,

        /// <summary>By the calling thread alone, which interrupts each at once.</summary>
        Interrupt,
    }

    private TraceOutcome SeizeNew(SeizeMode mode, out bool found)
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

        if (mode == SeizeMode.RunningFirst)
        {
            _runningCount = new RunningTasks(_directory).MoveToFront(tids);
            RaisePriority();
        }

        int first = _count;
        foreach (int tid in tids)
        {
            if (_known.Add(tid))
            {
                AddFound(tid, mode == SeizeMode.Interrupt ? 0 : (_count - first) / TasksPerTurn % _teamSize);
            }
        }

        if (mode == SeizeMode.Interrupt)
        {
            SeizeShare(0);
            _ = InterruptShare(0, fragile: false);
            if (_classes is not null)
            {
                RestoreShare(0); // born of a quiesced task, and as slow
            }
        }
        else
        {
            RunStep(TeamStep.Seize);
        }

        return CheckSeized(first, out found);
    }

    private void AddFound(int tid, int owner)
    {
        if (_count == _tracees.Length)
        {
            Array.Resize(ref _tracees, _tracees.Length * 2);
        }

        _tracees[_count] = new Tracee { Tid = tid, Owner = owner, State = TraceeState.Found };
        Volatile.Write(ref _count, _count + 1);
    }

    private TraceOutcome CheckSeized(int first, out bool found)
    {
        found = false;
        for (int i = first; i < _count; i++)
        {
            Errno errno = _tracees[i].Failure;
            found |= errno == Errno.None;
            if (errno is not (Errno.None or Errno.NoSuchTask) && TaskState(_tracees[i].Tid) is not ('Z' or 'X' or '\0'))
            {
                return Explain(_tracees[i].Tid);
            }
        }

        return TraceOutcome.Done;
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
            return _directory.ReadThreadCount();
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            return 0;
        }
    }

    /// <summary>Moves the stopped tasks to the front.</summary>
    private void Compact()
    {
        int stopped = 0;
        for (int i = 0; i < _count; i++)
        {
            if (_tracees[i].State == TraceeState.Stopped)
            {
                (_tracees[stopped], _tracees[i]) = (_tracees[i], _tracees[stopped]);
                IsGroupStopped |= _tracees[stopped].Kind == PtraceStopKind.GroupStop;
                stopped++;
            }
        }

        StoppedCount = stopped;
    }

    private void MeasureSkew()
    {
        long first = long.MaxValue;
        long last = 0;
        for (int i = 0; i < StoppedCount; i++)
        {
            first = Math.Min(first, _tracees[i].StoppedAt);
            last = Math.Max(last, _tracees[i].StoppedAt);
        }

        SkewNanoseconds = Math.Max(0, last - first);
    }

    /// <summary>Whether a task is under seccomp; each has filters of its own. True where /proc does not say.</summary>
    internal bool IsFiltered(int index)
    {
        try
        {
            return _directory.ReadTaskStatus(Tid(index), _buffer).SeccompMode != 0;
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
            using var buffer = new ProcfsBuffer();
            return _directory.ReadTaskStat(tid, buffer).State;
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
            using var buffer = new ProcfsBuffer();
            return _directory.ReadTaskStatus(tid, buffer).TracerPid != 0 ? TraceOutcome.AlreadyTraced : TraceOutcome.Denied;
        }
        catch (SyscallException)
        {
            return TraceOutcome.TargetExited;
        }
    }
}
