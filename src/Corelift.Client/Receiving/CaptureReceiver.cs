using Corelift.Client.Local;
using Corelift.Client.Wire;
using Corelift.Elf;
using Corelift.V1;
using Part = Corelift.V1.CaptureResponse.PartOneofCase;

namespace Corelift.Client.Receiving;

/// <summary>
/// Takes the messages of one capture in their order (snapshot.proto, Capture), and makes a core of them. Whatever the
/// agent sends, the outcome is a core that agrees with its trailer, or a <see cref="SnapshotException"/>.
/// </summary>
internal sealed class CaptureReceiver(Stream destination, SnapshotLimits limits, IProgress<SnapshotProgress>? progress, MemoryRing? ring = null) : IDisposable
{
    private readonly ProgressReporter _progress = new(progress);
    private Stage _stage = Stage.Started;
    private CaptureStarted? _started;
    private Instant? _instant;
    private VmaCollector? _liveVmas;
    private ThreadCollector? _threads;
    private VmaCollector? _vmas;
    private CoreWriter? _writer;
    private MemoryReceiver? _memory;
    private CaptureTrailer? _trailer;

    private enum Stage
    {
        Started,
        Instant,
        LiveVmas,
        Rounds,
        Threads,
        Vmas,
        Memory,
        End,
    }

    /// <summary>Whether the agent has begun to answer.</summary>
    internal bool HasBegun => _stage != Stage.Started;

    internal bool IsComplete => _stage == Stage.End;

    internal ulong ReceivedBytes => _memory?.MemoryBytes ?? 0;

    /// <summary>Takes one message. Does not dispose of the frame.</summary>
    internal void Add(CaptureFrame frame)
    {
        if (frame.Damage is { } damage)
        {
            throw SnapshotException.Violation(damage);
        }

        Part part = frame.IsMemory ? Part.Memory : frame.Message!.PartCase;
        VerifyOrder(part);
        switch (part)
        {
            case Part.Started:
                Begin(frame.Message!.Started);
                break;
            case Part.LiveVmas:
                Add(frame.Message!.LiveVmas);
                break;
            case Part.Instant:
                Begin(frame.Message!.Instant);
                break;
            case Part.Threads:
                Add(frame.Message!.Threads);
                break;
            case Part.Vmas:
                Add(frame.Message!.Vmas);
                break;
            case Part.Memory:
                _memory!.Add(frame);
                break;
            case Part.Hole:
                _memory!.Add(frame.Message!.Hole);
                break;
            case Part.Zero:
                _memory!.Add(frame.Message!.Zero);
                break;
            case Part.Trailer:
                _memory!.Verify(frame.Message!.Trailer);
                _trailer = frame.Message.Trailer;
                _stage = Stage.End;
                break;
        }

        Report(force: false);
    }

    /// <summary>Writes the vendor note, once the stream has ended after its trailer.</summary>
    internal SnapshotResult Finish()
    {
        SnapshotRecord record = RecordBuilder.Build(_started!, _instant!, _threads!, _vmas!, _memory!, _trailer!, _writer!.UnreferencedBytes);
        _writer!.Complete(record.ToJson(_writer.VendorNoteCapacityBytes));
        return new SnapshotResult
        {
            Path = null,
            Record = record,
            Process = _started!.Process,
            Plan = _started.Plan,
            Strategy = _instant!.Strategy,
            Pause = WireTime.ToTimeSpan(_instant.Pause ?? _trailer!.Pause),
            Skew = WireTime.ToTimeSpanOrZero(_instant.Skew),
            Setup = WireTime.ToTimeSpanOrZero(_instant.Setup),
            ThreadCount = _threads!.Threads.Count,
            VmaCount = _vmas!.Vmas.Count,
            RegionCount = _vmas.CapturedRegionCount,
            CapturedBytes = _writer.HeldBytes,
            ReceivedBytes = (long)Math.Min(_memory!.MemoryBytes, long.MaxValue),
            PackedBytes = (long)_memory.PackedBytes,
            HoleBytes = _memory.Holes.Sum(hole => (long)(hole.End - hole.Start)),
            FileLengthBytes = _writer.FileLengthBytes,
            Digest = _memory.Digest,
            Elapsed = _progress.Elapsed,
            Warnings = record.Warnings,
        };
    }

    /// <summary>Tells how far it is, if there is news of which it is time to tell.</summary>
    internal void Report(bool force)
    {
        SnapshotPhase phase = _stage switch
        {
            Stage.Started => SnapshotPhase.Planning,
            Stage.Instant => SnapshotPhase.Stopping,
            Stage.LiveVmas or Stage.Rounds => SnapshotPhase.LiveRounds,
            Stage.End => SnapshotPhase.Complete,
            _ => SnapshotPhase.Receiving,
        };
        _progress.Report(phase, _memory, _started?.Plan.Bytes?.TotalBytes ?? 0, force);
    }

    public void Dispose()
    {
        _memory?.Dispose();
        _writer?.Dispose();
    }

    private void VerifyOrder(Part part)
    {
        bool isInOrder = _stage switch
        {
            Stage.Started => part == Part.Started,
            Stage.Instant => part is Part.Instant or Part.LiveVmas,
            Stage.LiveVmas => part == Part.LiveVmas,
            Stage.Rounds => part is Part.Memory or Part.Hole or Part.Instant,
            Stage.Threads => part == Part.Threads,
            Stage.Vmas => part == Part.Vmas,
            Stage.Memory => part is Part.Memory or Part.Hole or Part.Trailer || (part == Part.Zero && _liveVmas is not null),
            _ => false,
        };
        if (!isInOrder)
        {
            throw SnapshotException.Violation(
                _stage == Stage.End ? $"a message ({part}) after the trailer" : $"a message ({part}) where {_stage} was due");
        }
    }

    private void Begin(CaptureStarted started)
    {
        InstantFacts.Check(started);
        _started = started;
        _stage = Stage.Instant;
    }

    private void Add(LiveVmas part)
    {
        if (!destination.CanSeek)
        {
            throw SnapshotException.Violation("memory of live rounds, though it was told that the destination cannot seek");
        }

        if (!part.IsLast)
        {
            VerifyNotEmpty(part.Vmas.Count);
        }

        _liveVmas ??= new VmaCollector(null, _started!.PageSizeBytes, limits);
        foreach (CapturedVma vma in part.Vmas)
        {
            _liveVmas.Add(vma);
        }

        _stage = Stage.LiveVmas;
        if (part.IsLast)
        {
            _writer = CoreWriter.CreateLive(destination, (int)_started!.PageSizeBytes, _liveVmas.Captured.Ranges);
            _memory = new MemoryReceiver(_writer, _liveVmas.Captured, _started.PageSizeBytes, limits, isLive: true, ring);
            _stage = Stage.Rounds;
        }
    }

    private void Begin(Instant instant)
    {
        InstantFacts.Check(instant, limits);
        InstantFacts.CheckRounds(instant, _liveVmas is not null, _memory?.LastRound ?? 0);
        _memory?.EndRounds();
        _instant = instant;
        _threads = new ThreadCollector(instant.ThreadCount, limits);
        _vmas = new VmaCollector(instant.VmaCount, _started!.PageSizeBytes, limits);
        _stage = Stage.Threads;
    }

    private void Add(InstantThreads part)
    {
        VerifyNotEmpty(part.Threads.Count);
        foreach (StoppedThread thread in part.Threads)
        {
            _threads!.Add(thread);
        }

        _stage = _threads!.IsComplete ? Stage.Vmas : Stage.Threads;
    }

    private void Add(InstantVmas part)
    {
        VerifyNotEmpty(part.Vmas.Count);
        foreach (CapturedVma vma in part.Vmas)
        {
            _vmas!.Add(vma);
        }

        if (_vmas!.IsComplete)
        {
            BeginMemory();
        }
    }

    private void BeginMemory()
    {
        if (_vmas!.Captured.TotalBytes != _instant!.CapturedRangeBytes)
        {
            throw SnapshotException.Violation(
                $"regions of {_vmas.Captured.TotalBytes} bytes, not {_instant.CapturedRangeBytes} as the instant says");
        }

        CoreSnapshot snapshot = new()
        {
            Machine = InstantFacts.ToMachine(_started!.Process),
            PageSizeBytes = (int)_started.PageSizeBytes,
            Process = InstantFacts.ToProcess(_instant.ProcessInfo),
            Threads = _threads!.Threads,
            Vmas = _vmas.Vmas,
            Auxv = _instant.Auxv.Memory,
        };
        CoreWriterOptions options = new()
        {
            VendorNoteReserveBytes = RecordBuilder.ReserveBytes(_threads, _vmas, _instant, _memory?.HoleCount ?? 0),
        };
        if (_memory is null)
        {
            _writer = CoreWriter.Create(destination, snapshot, options);
            _memory = new MemoryReceiver(_writer, _vmas.Captured, _started.PageSizeBytes, limits, isLive: false, ring);
        }
        else
        {
            _writer!.BeginInstant(snapshot, options);
            _memory.BeginInstant(_vmas.Captured);
        }

        _stage = Stage.Memory;
    }

    /// <summary>Empty messages without end would keep a client busy for ever.</summary>
    private static void VerifyNotEmpty(int count)
    {
        if (count == 0)
        {
            throw SnapshotException.Violation("an empty list of threads or VMAs");
        }
    }
}
