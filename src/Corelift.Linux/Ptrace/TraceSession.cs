using Corelift.Linux.Interop;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// All tasks of one process, seized by the calling OS thread and, where there are many, by helpers that take a share each:
/// stopped together, resumed together. The kernel keys the tracer relation by thread (ptrace(2), "Description"), so every
/// member but <see cref="ReapForExec"/> belongs to the thread that made the first call. Whenever a tracer thread ends,
/// however it ends, the kernel detaches its tasks and they run on: PTRACE_O_EXITKILL is never set on a target.
/// </summary>
public sealed partial class TraceSession : IDisposable
{
    private const PtraceOptions TargetOptions = PtraceOptions.TraceSysGood | PtraceOptions.TraceExec;
    private const long ShortestRelaxNanoseconds = 20_000;
    private const long LongestRelaxNanoseconds = 500_000;

    private readonly ProcessDirectory _directory;
    private readonly ProcfsBuffer _buffer = new();
    private readonly HashSet<int> _known = [];
    private readonly InterruptedCalls _calls;
    private Tracee[] _tracees;
    private int _count;
    private TracerTeam? _team;
    private readonly long[] _seizingSince;
    private readonly MemberResult[] _results;
    private readonly int _teamSize;
    private long _deadline;
    private ThreadRecords? _records;

    /// <summary>A session for the process that <paramref name="directory"/> names; nothing is touched yet.</summary>
    /// <param name="directory">Its /proc directory.</param>
    /// <param name="expectedThreads">Room to make before the stop.</param>
    public TraceSession(ProcessDirectory directory, int expectedThreads)
    {
        _directory = directory;
        _calls = new InterruptedCalls(directory);
        _tracees = new Tracee[Math.Max(64, expectedThreads + (expectedThreads / 4))];
        _teamSize = TracerTeam.SizeFor(expectedThreads);
        _seizingSince = new long[_teamSize];
        _results = new MemberResult[_teamSize];
    }

    /// <summary>When the first request to stop was made, in nanoseconds of CLOCK_MONOTONIC; 0 before.</summary>
    public long StopStartedAt { get; private set; }

    /// <summary>
    /// Time between the first and the last task's stop, in nanoseconds; from <see cref="ReadRegisters"/> on. An upper bound:
    /// how long one task may still have run when another was already kept from running.
    /// </summary>
    public long SkewNanoseconds { get; private set; }

    /// <summary>The task that an outcome other than Done is about, or 0.</summary>
    public int BlamedTid { get; private set; }

    /// <summary>Number of tasks that were found, seized or gone since.</summary>
    public int SeizedCount => _count;

    /// <summary>Number of stopped tasks; their indices run from 0.</summary>
    public int StoppedCount { get; private set; }

    /// <summary>Whether the process was in a group-stop.</summary>
    public bool IsGroupStopped { get; private set; }

    /// <summary>
    /// Whether the process is held still: who is killed leaves its stop at once, and what is read of it from then on is not what
    /// it had. Asked of a task of the calling thread's; true where it has none.
    /// </summary>
    public bool IsHeld
    {
        get
        {
            for (int i = 0; i < StoppedCount; i++)
            {
                if (_tracees[i].Owner == 0 && _tracees[i].State == TraceeState.Stopped)
                {
                    return PtraceCalls.GetSignalMask(_tracees[i].Tid, out _) != Errno.NoSuchTask;
                }
            }

            return true;
        }
    }

    internal ProcessDirectory Directory => _directory;

    /// <summary>
    /// Seizes every task until a pass over /proc/PID/task finds no new one. Stops nobody. Leaves the calling thread's priority
    /// raised where that took no longer than a moment: among a thousand busy threads every request would wait its turn.
    /// </summary>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    public TraceOutcome SeizeAll(long deadline)
    {
        const long LongestRaised = 100_000_000;
        _team = _teamSize > 1 ? new TracerTeam(_teamSize, Work) : null;
        long started = MonotonicClock.Nanoseconds;
        for (bool first = true; ; first = false)
        {
            TraceOutcome outcome = SeizeNew(first ? SeizeMode.RunningFirst : SeizeMode.InOrder, out bool found);
            if (outcome != TraceOutcome.Done || !found)
            {
                return outcome;
            }

            long now = MonotonicClock.Nanoseconds;
            if (now - started > LongestRaised)
            {
                LowerPriority();
            }

            if (now > deadline)
            {
                return TraceOutcome.DeadlinePassed;
            }
        }
    }

    /// <summary>Seizes one task alone; for work that needs a single thread of the target.</summary>
    public TraceOutcome SeizeOne(int tid)
    {
        AddFound(tid, owner: 0);
        SeizeFound(0, ref _tracees[_count - 1]);
        return _tracees[_count - 1].Failure switch
        {
            Errno.None => TraceOutcome.Done,
            Errno.NoSuchTask => TraceOutcome.TargetExited,
            _ => Explain(tid),
        };
    }

    /// <summary>
    /// Looks at who sleeps in a call that the stop would break, and since when; as shortly before the stop as can be. Without
    /// it such calls are made again with their full timeout, and are left with EINTR where this process dies early in the stop.
    /// </summary>
    /// <param name="vmas">The process's VMAs.</param>
    public void LookAhead(IReadOnlyCollection<Vma> vmas)
    {
        _calls.LookAhead(vmas, _tracees.Take(_count).Select(tracee => tracee.Tid));
        for (int i = 0; i < _count; i++)
        {
            _tracees[i].IsFragile = _calls.WasAsleep(_tracees[i].Tid);
            _fragileCount += _tracees[i].IsFragile ? 1 : 0;
        }
    }

    /// <summary>Interrupts all seized tasks, waits for each, and goes on until no task of the process runs.</summary>
    /// <param name="deadline">In nanoseconds of CLOCK_MONOTONIC.</param>
    /// <param name="wholeProcess">Whether tasks that were born meanwhile are looked for; false after <see cref="SeizeOne"/>.</param>
    public TraceOutcome StopAll(long deadline, bool wholeProcess = true)
    {
        _deadline = deadline;
        if (_classes is not null)
        {
            InterruptQuiesced();
        }
        else
        {
            StopStartedAt = MonotonicClock.Nanoseconds;
            RunStep(TeamStep.Interrupt);
        }

        TraceOutcome outcome = WaitForStops();
        long relax = ShortestRelaxNanoseconds;
        while (outcome == TraceOutcome.Done && wholeProcess && !IsComplete())
        {
            outcome = SeizeNew(SeizeMode.Interrupt, out bool found);
            outcome = outcome == TraceOutcome.Done ? WaitForStops() : outcome;
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
    public TraceOutcome ReadRegisters(ThreadRecords records)
    {
        _records = records;
        BoundSleepers();
        RunStep(TeamStep.Read);
        MeasureSkew();
        return FirstFailure();
    }

    /// <summary>
    /// Lets every task run on as if it had not been stopped: each with the signal that was on its way to it, and calls that
    /// our stop would make fail with EINTR set up to be made again. Group-stopped tasks stay stopped. Helpers end with it.
    /// </summary>
    public void ResumeAll()
    {
        // First those that run on: who sleeps again anyway loses nothing by a few microseconds more.
        RunStep(TeamStep.Resume);
        _calls.BeginShortening(_tracees.AsSpan(0, _count));
        RunStep(TeamStep.ResumeShortened);
        RunStep(TeamStep.ResumeRest);
        _team?.End();
        StoppedCount = 0;
    }

    /// <summary>What is left to do for calls that were made again; right after the resume.</summary>
    public void Settle() => _calls.Settle();

    /// <summary>Raises all tracer threads to SCHED_FIFO, or as near to it as the kernel lets them.</summary>
    public void RaisePriority() => RunStep(TeamStep.RaisePriority);

    /// <summary>Puts all tracer threads back.</summary>
    public void LowerPriority() => RunStep(TeamStep.LowerPriority);

    /// <summary>
    /// Lowers them to the best of what is not real time, for the time of a lease: whoever is held is let go, also by the death
    /// of its tracer, only once that has a CPU.
    /// </summary>
    public void LowerPriorityToHold() => RunStep(TeamStep.HoldPriority);

    /// <summary>
    /// Called from another thread while the tracer may hang in PTRACE_SEIZE: an execve waits for every other task of its
    /// process to be gone, and a zombie that we traced is only gone once we have reaped it. Takes the zombies among the
    /// seized tasks, and no stops.
    /// </summary>
    /// <param name="now">CLOCK_MONOTONIC in nanoseconds.</param>
    public void ReapForExec(long now)
    {
        const long Patience = 10_000_000;
        bool hangs = false;
        for (int member = 0; member < _seizingSince.Length; member++)
        {
            long since = Volatile.Read(ref _seizingSince[member]);
            hangs |= since != 0 && now - since >= Patience;
        }

        if (!hangs)
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

    /// <summary>Returns buffers, and ends the helpers. Tasks that are still stopped are left to the end of the thread.</summary>
    public void Dispose()
    {
        _team?.Dispose();
        _buffer.Dispose();
        _calls.Dispose();
    }

    internal ref Tracee At(int index) => ref _tracees[index];
}
