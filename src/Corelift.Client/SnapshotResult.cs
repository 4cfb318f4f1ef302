using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client;

/// <summary>
/// A snapshot that became a core, every byte of it checked against the trailer. One that <see cref="IsPartial"/> lacks
/// memory that it should have: the agent had to give it up.
/// </summary>
public sealed record SnapshotResult
{
    /// <summary>Full path of the core, with a suffix where it is partial; null where it went to a stream.</summary>
    public required string? Path { get; init; }

    /// <summary>What the core says of its own making.</summary>
    public required SnapshotRecord Record { get; init; }

    /// <summary>The process as it was before the stop. Its texts come from the target: escape them before printing.</summary>
    public required Process Process { get; init; }

    /// <summary>What was planned.</summary>
    public required CapturePlan Plan { get; init; }

    /// <summary>Strategy that was used in the end.</summary>
    public required Strategy Strategy { get; init; }

    /// <summary>Time from the first request to stop until the last task ran again; null for a leased target.</summary>
    public required TimeSpan? Pause { get; init; }

    /// <summary>Time between the first and the last task's stop.</summary>
    public required TimeSpan Skew { get; init; }

    /// <summary>For how long one thread alone was stopped before, so that writes could be tracked; zero but for strategy precopy.</summary>
    public required TimeSpan Setup { get; init; }

    /// <summary>Number of tasks.</summary>
    public required int ThreadCount { get; init; }

    /// <summary>Number of VMAs.</summary>
    public required int VmaCount { get; init; }

    /// <summary>Number of regions with bytes.</summary>
    public required int RegionCount { get; init; }

    /// <summary>Whether memory is missing that the snapshot should have: <see cref="PartialBecause"/>.</summary>
    public bool IsPartial => Record.IsPartial;

    /// <summary>Why the snapshot is partial, from the agent; empty for a whole one.</summary>
    public string PartialBecause => Record.PartialBecause;

    /// <summary>The live rounds of strategy precopy, in their order.</summary>
    public IReadOnlyList<RecordRound> Rounds => Record.Rounds;

    /// <summary>Bytes of memory in the core that are not left as holes of the file; zero pages are not among them.</summary>
    public required long CapturedBytes { get; init; }

    /// <summary>Bytes of memory that came, before packing. More than are in the core where live rounds sent some twice.</summary>
    public required long ReceivedBytes { get; init; }

    /// <summary>Bytes of memory as they came over the wire.</summary>
    public required long PackedBytes { get; init; }

    /// <summary>Bytes that turned out to be unreadable and are zero in the core.</summary>
    public required long HoleBytes { get; init; }

    /// <summary>Length of the core in bytes, holes of the file included.</summary>
    public required long FileLengthBytes { get; init; }

    /// <summary>XXH3 over all chunks as the contract has it.</summary>
    public required ulong Digest { get; init; }

    /// <summary>Time from the request until the core was whole.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>What the reader of the core should know: one sentence each.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}
