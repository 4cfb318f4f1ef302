using Corelift.Linux.Interop;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// All tasks of one process, seized by the calling OS thread: stopped together, resumed together. The kernel keys the
/// tracer relation by thread (ptrace(2), "Description"), so every member but <see cref="ReapForExec"/> belongs to the thread
/// that made the first call. Whenever that thread ends, however it ends, the kernel detaches every task and it runs on:
/// PTRACE_O_EXITKILL is never set on a target.
/// </summary>
public sealed class TraceSession : IDisposable
{
    private const PtraceOptions TargetOptions = PtraceOptions.TraceSysGood | PtraceOptions.TraceExec;
    private const long FirstRelaxNanoseconds = 20_000;
    private const long LongestRelaxNanoseconds = 500_000;

    private readonly ProcessDirectory _directory;
    private readonly ProcfsBuffer _buffer = new();
    private readonly HashSet<int> _known = [];
    private Tracee[] _tracees;
    private int _count;
    private long _seizingSince;

    /// <summary>A session for the process that <paramref name="directory"/> names; nothing is touched yet.</summary>
    /// <param name="directory">Its /proc directory.</param>
    /// <param name="expectedThreads">Room to make before the stop.</param>
    public TraceSession(ProcessDirectory directory, int expectedThreads)
    {
        _directory = directory;
        _tracees = new Tracee[Math.Max(64, expectedThreads + (expectedThreads / 4))];
    }

    /// <summary>When the first request to stop was made, in nanoseconds of CLOCK_MONOTONIC; 0 before.</summary>
    public long StopStartedAt { get; private set; }

    /// <summary>Time between the first and the last task's stop, in nanoseconds.</summary>
    public long SkewNanoseconds { get; private set; }

    /// <summary>The task that an outcome other than Done is about, or 0.</summary>
    public int BlamedTid { get; private set; }

    /// <summary>Number of stopped tasks; their indices run from 0.</summary>
    public int StoppedCount { get; private set; }

    /// <summary>Whether the process was in a group-stop.</summary>
    public bool IsGroupStopped { get; private set; }

    internal ProcessDirectory Directory => _directory;

    /// <summary>Seizes every task until a pass over /proc/PID/task finds no new one. Stops nobody.</summary>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    public TraceOutcome SeizeAll(long deadline)
    {
        while (true)
        {
            TraceOutcome outcome = SeizeNew(interrupt: false, out bool found);
            if (outcome != TraceOutcome.Done || !found)
            {
                return outcome;
            }

            if (MonotonicClock.Nanoseconds > deadline)
            {
                return TraceOutcome.DeadlinePassed;
            }
        }
    }

    /// <summary>Seizes one task alone; for work that needs a single thread of the target.</summary>
    public TraceOutcome SeizeOne(int tid)
    {
        Errno errno = Seize(tid);
        return errno switch
        {
            Errno.None => TraceOutcome.Done,
            Errno.NoSuchTask => TraceOutcome.TargetExited,
            _ => Explain(tid),
        };
    }

    /// <summary>Interrupts all seized tasks, waits for each, and goes on until no task of the process runs.</summary>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <param name="wholeProcess">Whether tasks that were born meanwhile are looked for; false after <see cref="SeizeOne"/>.</param>
    public TraceOutcome StopAll(long deadline, bool wholeProcess = true)
    {
        StopStartedAt = MonotonicClock.Nanoseconds;
        for (int i = 0; i < _count; i++)
        {
            RequestStop(ref _tracees[i]);
        }

        TraceOutcome outcome = WaitForStops(deadline);
        long relax = FirstRelaxNanoseconds;
        while (outcome == TraceOutcome.Done && wholeProcess && !IsComplete())
        {
            outcome = SeizeNew(interrupt: true, out bool found);
            outcome = outcome == TraceOutcome.Done ? WaitForStops(deadline) : outcome;
            if (!found)
            {
                // Tasks in the middle of their exit are counted until they are released.
                MonotonicClock.Relax(relax);
                relax = Math.Min(relax * 2, LongestRelaxNanoseconds);
                RecheckStopped();
            }

            if (outcome == TraceOutcome.Done && MonotonicClock.Nanoseconds > deadline)
            {
                outcome = TraceOutcome.DeadlinePassed;
            }
        }

        Compact();
        return outcome == TraceOutcome.Done && StoppedCount == 0 ? TraceOutcome.TargetExited : outcome;
    }

    /// <summary>Thread id of a stopped task.</summary>
    public int Tid(int index) => _tracees[index].Tid;

    /// <summary>Copies register sets, signal masks and siginfo of every stopped task.</summary>
    /// <param name="records">Receives one record per task; must have room for <see cref="StoppedCount"/>.</param>
    public unsafe TraceOutcome ReadRegisters(ThreadRecords records)
    {
        for (int i = 0; i < StoppedCount; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            int generalLength = ThreadRecords.GeneralBytes;
            int xstateLength = records.MaxXStateBytes;
            Errno errno;
            ulong blocked;
            bool hasSigInfo;
            fixed (byte* general = records.GeneralBuffer(i), xstate = records.XStateBuffer(i), sigInfo = records.SigInfoBuffer(i))
            {
                errno = PtraceCalls.GetRegisterSet(tracee.Tid, NoteType.PrStatus, general, ref generalLength);
                if (errno == Errno.None)
                {
                    tracee.Registers = *(UserRegs*)general;
                }

                _ = PtraceCalls.GetRegisterSet(tracee.Tid, NoteType.X86XState, xstate, ref xstateLength);
                _ = PtraceCalls.GetSignalMask(tracee.Tid, out blocked);
                hasSigInfo = PtraceCalls.GetSignalInfo(tracee.Tid, sigInfo) == Errno.None;
            }

            if (errno != Errno.None || generalLength != ThreadRecords.GeneralBytes)
            {
                BlamedTid = tracee.Tid;
                return errno == Errno.NoSuchTask ? TraceOutcome.TargetExited : TraceOutcome.UnsupportedArchitecture;
            }

            tracee.Blocked = blocked;
            tracee.HasRegisters = true;
            int flags = (tracee.Kind == PtraceStopKind.GroupStop ? 1 : 0) | (hasSigInfo ? 2 : 0);
            int signal = tracee.Kind == PtraceStopKind.SignalDelivery ? tracee.Signal : 0;
            records.SetHeader(i, tracee.Tid, flags, signal, xstateLength, tracee.StoppedAt - StopStartedAt, blocked);
        }

        return TraceOutcome.Done;
    }

    /// <summary>
    /// Lets every task run on as if it had not been stopped: each with the signal that was on its way to it, and calls that
    /// our stop would make fail with EINTR set up to be made again. Group-stopped tasks stay stopped.
    /// </summary>
    public void ResumeAll()
    {
        for (int i = 0; i < _count; i++)
        {
            ref Tracee tracee = ref _tracees[i];
            if (tracee.State == TraceeState.Stopped)
            {
                InterruptedCall.MakeAgain(ref tracee);
                int signal = tracee.Kind == PtraceStopKind.SignalDelivery ? tracee.Signal : 0;
                _ = PtraceCalls.Detach(tracee.Tid, signal); // ESRCH: killed while stopped, so nothing is left to release
                tracee.State = TraceeState.Gone;
            }
        }

        ReleaseRunning();
        StoppedCount = 0;
    }

    /// <summary>
    /// Called from another thread while the tracer may hang in PTRACE_SEIZE: an execve waits for every other task of its
    /// process to be gone, and a zombie that we traced is only gone once we have reaped it. Takes the zombies among the
    /// seized tasks, and no stops.
    /// </summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    public void ReapForExec(long now)
    {
        const long Patience = 10_000_000;
        long since = Volatile.Read(ref _seizingSince);
        if (since == 0 || now - since < Patience)
        {
            return;
        }

        Tracee[] tracees = _tracees;
        int count = Math.Min(Volatile.Read(ref _count), tracees.Length);
        for (int i = 0; i < count; i++)
        {
            if (TaskState(tracees[i].Tid) == 'Z')
            {
                _ = LibC.Wait4(tracees[i].Tid, out _, PtraceCalls.WaitAny | PtraceCalls.WaitNoHang, 0);
            }
        }
    }

    /// <summary>Returns buffers. Tasks that are still stopped are left to the end of the thread.</summary>
    public void Dispose() => _buffer.Dispose();

    internal ref Tracee At(int index) => ref _tracees[index];

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
