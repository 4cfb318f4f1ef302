using Corelift.Capture.Reading;
using Corelift.Capture.Worker;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Sessions;

/// <summary>
/// A snapshot that has been taken: threads, VMAs, and memory to be read. Disposing it gives back whatever holds the instant:
/// the image, the pause copy, or the stop itself.
/// </summary>
public sealed class SnapshotSession : IAsyncDisposable
{
    private readonly SharedBuffer _threadBuffer;
    private readonly ReportHeader _header;
    private readonly Func<ValueTask> _release;
    private readonly ImageGuard? _guard;
    private bool _disposed;

    internal SnapshotSession(
        CapturePlan plan, SharedBuffer threadBuffer, ReportHeader header, ReportParts parts, SnapshotSources sources, Func<ValueTask> release)
    {
        Plan = plan;
        _threadBuffer = threadBuffer;
        _header = header;
        _release = release;
        Threads = new ThreadRecords(threadBuffer, 0, header.ThreadStrideBytes);
        Auxv = parts.Auxv;
        Vmas = Group(sources.Vmas, sources.Regions);
        Reader = new SnapshotReader(sources);
        _guard = sources.Guard;
        CapturedRangeBytes = sources.Regions.Aggregate(0UL, (sum, region) => sum + (region.HasBytes ? region.LengthBytes : 0));
    }

    /// <summary>What was planned.</summary>
    public CapturePlan Plan { get; }

    /// <summary>The strategy that was used in the end.</summary>
    public CaptureStrategy Strategy => _header.Strategy == CaptureStrategy.Auto ? Plan.Strategy : _header.Strategy;

    /// <summary>Why it is not the planned one, where it is not.</summary>
    public IReadOnlyList<string> Reasons => Strategy == Plan.Strategy
        ? []
        : ["fork: the target writes to its memory faster than copying what it wrote would have taken in the pause"];

    /// <summary>Why not all of the memory could be read; null for a whole snapshot.</summary>
    public string? PartialBecause => _guard?.Dropped;

    /// <summary>Strategy precopy: what the plan says by now that it did not when it was sent.</summary>
    public IReadOnlyList<string> ReasonsSincePlan { get; internal init; } = [];

    /// <summary>Strategy precopy: the rounds before the stop.</summary>
    public IReadOnlyList<LiveRound> Rounds { get; internal init; } = [];

    /// <summary>Strategy precopy: how long one thread was stopped, before, to begin; zero otherwise.</summary>
    public TimeSpan Setup => TimeSpan.FromTicks(_header.Setup / 100);

    /// <summary>Register sets of the tasks.</summary>
    public ThreadRecords Threads { get; }

    /// <summary>Number of tasks.</summary>
    public int ThreadCount => _header.ThreadCount;

    /// <summary>VMAs of the instant with their regions.</summary>
    public IReadOnlyList<CapturedVma> Vmas { get; }

    /// <summary>The auxiliary vector.</summary>
    public ReadOnlyMemory<byte> Auxv { get; }

    /// <summary>The memory.</summary>
    public SnapshotReader Reader { get; }

    /// <summary>Addresses captured, in bytes.</summary>
    public ulong CapturedRangeBytes { get; }

    /// <summary>Time of the first request to stop.</summary>
    public DateTimeOffset StoppedAt => DateTimeOffset.UnixEpoch.AddTicks(_header.StoppedAtUnixNanoseconds / 100);

    /// <summary>How long the target was stopped; null while it still is.</summary>
    public TimeSpan? Pause => StillStopped ? null : TimeSpan.FromTicks(_header.PauseNanoseconds / 100);

    /// <summary>Whether the target is stopped until the session is disposed, or for as long as its lease lasts.</summary>
    public bool StillStopped { get; init; }

    /// <summary>Whether the register sets go with the session, and not with a lease.</summary>
    internal bool OwnsThreads { get; init; } = true;

    /// <summary>Total stop of a session that ended with its resume; null before, and for others.</summary>
    public TimeSpan? StoppedInAll { get; internal set; }

    /// <summary>Time between the first and the last task's stop.</summary>
    public TimeSpan Skew => TimeSpan.FromTicks(_header.SkewNanoseconds / 100);

    /// <summary>The pause by phase.</summary>
    public PausePhases Phases => new(_header.Interrupt, _header.Registers, _header.Scan, _header.Copy, _header.Fork, _header.Resume);

    /// <summary>Whether job control had stopped the target before.</summary>
    public bool WasGroupStopped => _header.IsGroupStopped != 0;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            Reader.Dispose();
            await _release().ConfigureAwait(false);
            if (OwnsThreads)
            {
                _threadBuffer.Dispose();
            }
        }
    }

    internal static List<CapturedVma> Group(IReadOnlyList<Vma> vmas, IReadOnlyList<CaptureRegion> regions)
    {
        var result = new List<CapturedVma>(vmas.Count);
        int next = 0;
        for (int i = 0; i < vmas.Count; i++)
        {
            var own = new List<CaptureRegion>(1);
            for (; next < regions.Count && regions[next].VmaIndex == i; next++)
            {
                own.Add(regions[next]);
            }

            if (vmas[i].Name != "[vsyscall]")
            {
                result.Add(new CapturedVma(vmas[i], own));
            }
        }

        return result;
    }
}
