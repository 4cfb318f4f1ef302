using Corelift.Linux.Interop;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// All tasks of one process, seized by the calling OS thread: stopped together, resumed together. The kernel keys the
/// tracer relation by thread (ptrace(2), "Description"), so every member but <see cref="ReapForExec"/> belongs to the thread
/// that made the first call. Whenever that thread ends, however it ends, the kernel detaches every task and it runs on:
/// PTRACE_O_EXITKILL is never set on a target.
/// </summary>
public sealed partial class TraceSession : IDisposable
{
    private const PtraceOptions TargetOptions = PtraceOptions.TraceSysGood | PtraceOptions.TraceExec;
    private const long FirstRelaxNanoseconds = 20_000;
    private const long LongestRelaxNanoseconds = 500_000;

    private readonly ProcessDirectory _directory;
    private readonly ProcfsBuffer _buffer = new();
    private readonly HashSet<int> _known = [];
    private readonly InterruptedCalls _calls;
    private Tracee[] _tracees;
    private int _count;
    private long _seizingSince;

    /// <summary>A session for the process that <paramref name="directory"/> names; nothing is touched yet.</summary>
    /// <param name="directory">Its /proc directory.</param>
    /// <param name="expectedThreads">Room to make before the stop.</param>
    public TraceSession(ProcessDirectory directory, int expectedThreads)
    {
        _directory = directory;
        _calls = new InterruptedCalls(directory);
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

    /// <summary>
    /// Looks at who sleeps in a call that the stop would break, and since when; as shortly before the stop as can be. Without
    /// it such calls are made again with their full timeout.
    /// </summary>
    /// <param name="vmas">The process's VMAs.</param>
    public void LookAhead(IReadOnlyCollection<Vma> vmas) =>
        _calls.LookAhead(vmas, _tracees.Take(_count).Select(tracee => tracee.Tid));

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
            _calls.Prepare(ref tracee);
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
        // First those that run on: who sleeps again anyway loses nothing by a few microseconds more.
        for (int i = 0; i < _count; i++)
        {
            if (_tracees[i].State == TraceeState.Stopped && !_calls.IsHeldBack(_tracees[i]))
            {
                Release(ref _tracees[i]);
            }
        }

        _calls.BeginShortening(_tracees.AsSpan(0, _count));
        for (int i = _count - 1; i >= 0; i--) // the main thread last, as remaining times are put on its stack
        {
            if (_tracees[i].State == TraceeState.Stopped)
            {
                _calls.Shorten(ref _tracees[i]);
                Release(ref _tracees[i]);
            }
        }

        ReleaseRunning();
        StoppedCount = 0;
    }

    /// <summary>What is left to do for calls that were made again; right after the resume.</summary>
    public void Settle() => _calls.Settle();

    private void Release(ref Tracee tracee)
    {
        _calls.Recheck(ref tracee);
        int signal = tracee.Kind == PtraceStopKind.SignalDelivery ? tracee.Signal : 0;
        _ = PtraceCalls.Detach(tracee.Tid, signal); // ESRCH: killed while stopped, so nothing is left to release
        tracee.State = TraceeState.Gone;
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
    public void Dispose()
    {
        _buffer.Dispose();
        _calls.Dispose();
    }

    internal ref Tracee At(int index) => ref _tracees[index];
}
