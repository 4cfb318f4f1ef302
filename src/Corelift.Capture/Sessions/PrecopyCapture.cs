#pragma warning disable CA2000 // What is made here is owned by the session that it goes to.
using System.Diagnostics;
using Corelift.Capture.Reading;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Sessions;

/// <summary>
/// Strategy precopy before its stop: the target runs, what it writes is tracked, and its memory is read in rounds, each of
/// which reads only what was written since the one before.
/// </summary>
public sealed class PrecopyCapture : IAsyncDisposable
{
    private const ulong LittleBytes = 8UL << 20;
    private const int MostRounds = 10;
    private const double EnoughShrinking = 0.5;

    private readonly WorkerConnection _worker;
    private readonly Approver _approver;
    private readonly SnapshotSources _sources;
    private readonly SnapshotReader _reader;
    private readonly LiveCoverage _coverage;
    private readonly List<LiveRound> _rounds = [];
    private readonly ProcessRef _target;
    private ulong _written;
    private bool _prepares;

    internal PrecopyCapture(ProcessRef target, WorkerConnection worker, WorkerMessageIn tracking, Approver approver, ProcessDirectory? directory)
    {
        _target = target;
        _worker = worker;
        _approver = approver;
        using SharedBuffer report = SharedBuffer.Open(tracking.TakeDescriptor(WorkerDescriptors.Report)!);
        (ReportHeader header, ReportParts parts, _) = CaptureReport.Read(report);
        _coverage = new LiveCoverage(parts.Regions);
        _sources = new SnapshotSources
        {
            Regions = parts.Regions,
            Vmas = MapsParser.Parse(parts.Maps, ProcfsLimits.Default),
            Memory = tracking.TakeDescriptor(WorkerDescriptors.Memory),
            Pagemap = tracking.TakeDescriptor(WorkerDescriptors.Pagemap),
            Directory = directory,
            Live = _coverage,
            Tracking = header.Tracking,
        };
        tracking.KeepTaken();
        _reader = new SnapshotReader(_sources);
        Vmas = SnapshotSession.Group(_sources.Vmas, _sources.Regions);
    }

    /// <summary>VMAs as they were when the tracking began, with what is read of each.</summary>
    public IReadOnlyList<CapturedVma> Vmas { get; }

    /// <summary>The rounds so far.</summary>
    public IReadOnlyList<LiveRound> Rounds => _rounds;

    /// <summary>Whether the stop was asked for.</summary>
    internal bool IsStopping { get; private set; }

    /// <summary>Reasons of the plan that went out before the rounds.</summary>
    internal IReadOnlyList<string> PlannedReasons { get; init; } = [];

    /// <summary>What reads the rounds.</summary>
    public SnapshotReader Reader => _reader;

    internal LiveCoverage Coverage => _coverage;

    /// <summary>Whether another round makes the stop shorter: much was written, but less than the last round read.</summary>
    public bool WantsRound()
    {
        if (_rounds.Count == 0)
        {
            return true;
        }

        // Where the target writes faster than the wire takes it, the worker's own rounds, at the speed of memory, do better.
        // Soft-dirty bits are reset once: another round would read all that was written since then again, and so would the stop.
        _written = Guarded(_reader.MeasureWritten);
        bool wants = _sources.Tracking != WriteTracking.SoftDirty && _rounds.Count < MostRounds
            && _written > LittleBytes && _written < _rounds[^1].MemoryBytes * EnoughShrinking;
        if (!_prepares)
        {
            // The worker looks at the target once more while the next round is read.
            _prepares = true;
            _ = _worker.Send(new WorkerCommand { Kind = WorkerCommandKind.Prepare, Value = (long)_written });
        }

        return wants;
    }

    /// <summary>Reads the next round, part by part.</summary>
    /// <exception cref="CaptureException">The target ended, or called execve.</exception>
    public IEnumerable<MemoryPart> ReadRound()
    {
        long began = Stopwatch.GetTimestamp();
        ulong bytes = 0;
        using IEnumerator<MemoryPart> parts = _reader.ReadRound(isFirst: _rounds.Count == 0).GetEnumerator();
        while (Guarded(parts.MoveNext))
        {
            bytes += (ulong)parts.Current.Bytes.Length;
            yield return parts.Current;
        }

        _rounds.Add(new LiveRound(_rounds.Count + 1, bytes, Stopwatch.GetElapsedTime(began)));
    }

    /// <summary>Measures how fast the target writes to memory that it has not written to just before; reads none of it.</summary>
    /// <returns>Bytes a second.</returns>
    internal async Task<ulong> MeasureRateAsync(TimeSpan window, CancellationToken cancellationToken)
    {
        _ = Guarded(() =>
        {
            _reader.TakeAll();
            return true;
        });
        long began = Stopwatch.GetTimestamp();
        await Task.Delay(window, cancellationToken).ConfigureAwait(false);
        ulong bytes = Guarded(_reader.MeasureWritten);
        return (ulong)(bytes / Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    /// <summary>Stops the target; when the answer is there, it runs again.</summary>
    internal async Task<WorkerMessageIn> TakeInstantAsync(CancellationToken cancellationToken)
    {
        using (WorkerMessageIn ready = await _worker.NextAsync(cancellationToken).ConfigureAwait(false))
        {
            IsStopping = true;
            _ = _worker.Send(new WorkerCommand { Kind = WorkerCommandKind.TakeInstant });
        }

        try
        {
            return await _approver.NextAsync(_worker, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is not (CaptureException or OperationCanceledException))
        {
            IsStopping = false; // not approved, and so nobody is stopped: the worker can end in order
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _reader.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Memory that has gone belongs to a target that ended, or that runs another program.</summary>
    private T Guarded<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (CaptureException failure) when (failure.Failure == CaptureFailure.TargetExited)
        {
            throw IsAlive()
                ? new CaptureException(CaptureFailure.TargetExeced, $"process {_target.Pid} called execve while its memory was read: look at the new program and try again")
                : new CaptureException(CaptureFailure.TargetExited, $"process {_target.Pid} ended while its memory was read");
        }
    }

    /// <summary>A process that ends has no maps from early on, one that called execve has new ones.</summary>
    private bool IsAlive()
    {
        try
        {
            return _sources.Directory is { } directory && directory.ReadIdentity() == _target && directory.ReadFile("maps").Length > 0;
        }
        catch (SyscallException)
        {
            return false;
        }
    }
}
