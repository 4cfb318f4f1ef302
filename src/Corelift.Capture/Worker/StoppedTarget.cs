using System.Diagnostics.CodeAnalysis;
using System.Runtime;
using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>
/// A target from the look at it before, through the stop, to its resume; what capture and hold have in common. Everything
/// that can be done before the stop is done in <see cref="Prepare"/>.
/// </summary>
internal sealed partial class StoppedTarget : IDisposable
{
    private const long SeizePatience = 10_000_000_000;
    private const long NoGcBytes = 32L << 20;

    private readonly WorkerClock _clock;
    private readonly WorkerReplies _replies;
    private readonly ProcessDirectory _directory;
    private readonly ProcessRef _identity;
    private readonly Permission _permission;
    private RemoteCode _code;
    private bool _holdsGc;

    private StoppedTarget(ProcessDirectory directory, TargetFacts facts, in WorkerRequest request, WorkerClock clock, WorkerReplies replies)
    {
        _permission = new Permission(request, replies);
        _directory = directory;
        _clock = clock;
        _replies = replies;
        Facts = facts;
        _identity = new ProcessRef(directory.Pid, facts.Stat.StartTimeTicks);
        Session = new TraceSession(directory, facts.Status.ThreadCount);
        MakeRoom(facts.Status.ThreadCount);
    }

    internal TargetFacts Facts { get; }

    internal TraceSession Session { get; }

    internal SharedBuffer ThreadBuffer { get; private set; }

    internal ThreadRecords Records { get; private set; }

    internal int RoomForThreads { get; private set; }

    /// <summary>Why nothing can be called in the target, or null.</summary>
    internal string? NoCallsBecause { get; private set; }

    /// <summary>Deadline of the stop, CLOCK_MONOTONIC in nanoseconds.</summary>
    internal long Deadline { get; private set; }

    internal long StoppedAtUnixNanoseconds { get; private set; }

    /// <summary>Number of tasks that were stopped; stays after the resume.</summary>
    internal int StoppedCount { get; private set; }

    internal long InterruptNanoseconds { get; private set; }

    internal long RegistersNanoseconds { get; private set; }

    /// <summary>Looks at the target, finds code for calls in it, and makes buffers. Nobody is stopped.</summary>
    internal static StoppedTarget Prepare(WorkerRequest request, WorkerClock clock, WorkerReplies replies)
    {
        ProcessDirectory directory = TargetFacts.Open(new ProcessRef(request.Pid, request.StartTimeTicks));
        var target = new StoppedTarget(directory, TargetFacts.Read(directory), request, clock, replies);
        TargetFacts facts = target.Facts;
        target.NoCallsBecause = facts.NoCallsBecause ?? RemoteCodeFinder.Find(facts.Directory, facts.Vmas.ConvertAll(v => v.Vma), out target._code);
        return target;
    }

    /// <summary>Seizes every task, asks whether it may, stops every task, and reads its registers.</summary>
    /// <param name="budgetNanoseconds">Longest stop.</param>
    /// <param name="whenReady">Called in the moment before the stop, when the target still runs.</param>
    /// <param name="whenStopped">Called as soon as every task has stopped, before registers are read.</param>
    /// <exception cref="CaptureException">It did not work; the end of this thread resumes whoever is stopped.</exception>
    internal void Stop(long budgetNanoseconds, Action? whenReady = null, Action? whenStopped = null)
    {
        _clock.Watch(Session);
        _holdsGc = TryHoldGc();
        Check(Session.SeizeAll(MonotonicClock.Nanoseconds + SeizePatience));
        AskFirst();
        if (RoomFor(Session.SeizedCount) > RoomForThreads)
        {
            ThreadBuffer.Dispose();
            MakeRoom(Session.SeizedCount); // many were born since the first look
        }

        whenReady?.Invoke();
        Session.LookAhead(Facts.Vmas.ConvertAll(v => v.Vma));
        Session.RaisePriority();
        Quiesce();
        Deadline = MonotonicClock.Nanoseconds + budgetNanoseconds;
        _clock.StopBegins(Deadline);
        StoppedAtUnixNanoseconds = (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
        Check(Session.StopAll(Deadline));
        whenStopped?.Invoke();
        long stopped = MonotonicClock.Nanoseconds;
        InterruptNanoseconds = stopped - Session.StopStartedAt;
        StoppedCount = Session.StoppedCount;
        _replies.QuiescedNanoseconds = Session.QuiescedNanoseconds;
        if (_directory.ReadLeaderIdentity() != _identity)
        {
            Check(TraceOutcome.TargetExited);
        }

        Recheck();
        if (Session.StoppedCount > RoomForThreads)
        {
            throw new CaptureException(
                CaptureFailure.Internal, "threads were born faster than room for them was made: try again");
        }

        Check(Session.ReadRegisters(Records));
        RegistersNanoseconds = MonotonicClock.Nanoseconds - stopped;
    }

    private void AskFirst()
    {
        Session.LowerPriority();
        Check(_permission.Await(Session));
        Check(Session.SeizeNewborn());
    }

    private void Recheck()
    {
        try
        {
            _permission.Recheck(_directory);
        }
        catch
        {
            _ = Resume();
            throw;
        }
    }

    private static int RoomFor(int threads) => threads + (threads / 8) + 64;

    [MemberNotNull(nameof(ThreadBuffer), nameof(Records))]
    private void MakeRoom(int threads)
    {
        RoomForThreads = RoomFor(threads + (threads / 8));
        ThreadBuffer = SharedBuffer.Create("corelift-threads", (long)RoomForThreads * ThreadRecords.Stride());
        Records = new ThreadRecords(ThreadBuffer, 0, ThreadRecords.Stride());
    }

    private void Quiesce()
    {
        if (_replies.QuiesceJournal is { } journal)
        {
            _replies.NotQuiescedBecause = Session.Quiesce(journal) ?? string.Empty;
        }
    }

    /// <summary>Prepares calls in a stopped task, or returns null with the reason in <see cref="NoCallsBecause"/>.</summary>
    internal RemoteCaller? PrepareCalls()
    {
        if (NoCallsBecause is not null)
        {
            return null;
        }

        RemoteCaller? caller = RemoteCaller.Prepare(Session, Records, _code, out string refusal);
        NoCallsBecause = caller is null ? refusal : null;
        return caller;
    }

    internal ulong ScratchStart => _code.Scratch;

    internal ulong ScratchEnd => _code.Scratch + (ulong)_code.ScratchBytes;

    /// <summary>Does the work of the pause, and lets every task run on, whatever comes of the work.</summary>
    /// <param name="work">Returns an image, or null where it makes none.</param>
    /// <param name="header">What there is to say of the stop; the strategy's own part is not filled in.</param>
    internal ProcessImage? WorkAndResume(Func<ProcessImage?> work, out ReportHeader header)
    {
        ProcessImage? image;
        try
        {
            image = work();
        }
        catch
        {
            _ = Resume();
            throw;
        }

        long resumeStarted = MonotonicClock.Nanoseconds;
        long paused = Resume();
        header = ReportHeader.Of(this);
        (header.PauseNanoseconds, header.Resume) = (paused, Session.StopStartedAt + paused - resumeStarted);
        return image;
    }

    /// <summary>To be asked after a copy: what was read of a target that was killed meanwhile is not its memory.</summary>
    /// <exception cref="CaptureException">TargetExited.</exception>
    internal void ThrowIfKilled()
    {
        if (!Session.IsHeld)
        {
            throw new CaptureException(CaptureFailure.TargetExited, $"process {Facts.Directory.Pid} was killed while its memory was being copied");
        }
    }

    /// <summary>Lets every task run on. Returns how long they were stopped, in nanoseconds.</summary>
    internal long Resume()
    {
        long started = Session.StopStartedAt;
        Session.RaisePriority(); // those that run again would hold up the resume of the others
        Session.ResumeAll();
        long ended = MonotonicClock.Nanoseconds;
        _clock.StopEnds();
        Session.Settle();
        SelfControl.LowerPriority();
        Session.RestoreStragglers();
        ReleaseGc();
        return ended - started;
    }

    /// <summary>Opens the target's mem or pagemap through a short-lived peer that shares its memory.</summary>
    internal TargetFiles OpenFiles(RemoteCaller? caller)
    {
        if (Facts.CanOpenMem)
        {
            return new TargetFiles(
                Facts.Directory.OpenForReading("mem"), Facts.Directory.OpenForReading("pagemap"), Facts.Directory.ReadFile("auxv"));
        }

        if (caller is null || ProcessImage.Create(caller, isPeer: true, Deadline, out _) is not { } peer)
        {
            return default;
        }

        TargetFiles files = default;
        if (peer.LeaveFileTable(Deadline))
        {
            files = TargetFiles.From(peer, Deadline);
        }

        peer.Kill(Deadline);
        _ = ProcessImage.Reap(caller, peer.PidInTarget, Deadline);
        return files;
    }

    internal void Check(TraceOutcome outcome)
    {
        if (outcome == TraceOutcome.Done)
        {
            return;
        }

        Session.ResumeAll();
        _clock.StopEnds();
        Session.Settle();
        SelfControl.LowerPriority();
        Session.RestoreStragglers();
        throw Describe(outcome);
    }

    public void Dispose()
    {
        ReleaseGc();
        ThreadBuffer.Dispose();
        Session.Dispose();
        if (Facts.Directory != _directory)
        {
            Facts.Directory.Dispose();
        }

        _directory.Dispose();
    }

    private static bool TryHoldGc()
    {
        try
        {
            return GC.TryStartNoGCRegion(NoGcBytes);
        }
        catch (Exception failure) when (failure is InvalidOperationException or ArgumentException)
        {
            return false;
        }
    }

    private void ReleaseGc()
    {
        if (_holdsGc && GCSettings.LatencyMode == GCLatencyMode.NoGCRegion)
        {
            GC.EndNoGCRegion();
        }

        _holdsGc = false;
    }
}
