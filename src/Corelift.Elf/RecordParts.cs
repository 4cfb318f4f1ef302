using System.Text.Json.Serialization;

namespace Corelift.Elf;

/// <summary>One phase of a pause.</summary>
/// <param name="Name">"interrupt", "registers", "scan", "copy", "fork", "resume".</param>
/// <param name="Ns">How long it took, in nanoseconds.</param>
public sealed record RecordPhase(string Name, long Ns);

/// <summary>One round of strategy precopy.</summary>
/// <param name="Round">Its number, from 1.</param>
/// <param name="MemoryBytes">Bytes that it read, zeros included.</param>
/// <param name="Ns">How long it took, in nanoseconds.</param>
public sealed record RecordRound(int Round, ulong MemoryBytes, long Ns);

/// <summary>When a task stopped.</summary>
/// <param name="Tid">Its id.</param>
/// <param name="Name">Its name (comm).</param>
/// <param name="StoppedAfterNs">Nanoseconds from the first request to stop until it ran no more; an upper bound.</param>
public sealed record RecordThreadStop(int Tid, string Name, long StoppedAfterNs);

/// <summary>A half-open range whose bytes may not be of the instant.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">First address after it.</param>
/// <param name="Consistency">"file", "live", "shared", "shared-live".</param>
/// <param name="Why">One sentence.</param>
public sealed record RecordInconsistency(
    [property: JsonConverter(typeof(HexJsonConverter))] ulong Start,
    [property: JsonConverter(typeof(HexJsonConverter))] ulong End,
    string Consistency,
    string Why);

/// <summary>A half-open range without bytes.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">First address after it.</param>
/// <param name="Reason">Why there are none.</param>
public sealed record RecordHole(
    [property: JsonConverter(typeof(HexJsonConverter))] ulong Start,
    [property: JsonConverter(typeof(HexJsonConverter))] ulong End,
    string Reason);

/// <summary>Sums over the memory of a snapshot that came to its end.</summary>
/// <param name="MemoryBytes">Bytes of all chunks.</param>
/// <param name="Chunks">Number of chunks.</param>
/// <param name="Digest">XXH3 (64 bits) over all chunks in the order they came, as the wire contract has it.</param>
public sealed record RecordTotals(
    ulong MemoryBytes,
    ulong Chunks,
    [property: JsonConverter(typeof(HexJsonConverter))] ulong Digest);

/// <summary>The Kubernetes container that a process ran in.</summary>
public sealed record RecordPod
{
    /// <summary>Namespace of the pod.</summary>
    public string Namespace { get; init => field = value ?? ""; } = "";

    /// <summary>Name of the pod.</summary>
    public string Name { get; init => field = value ?? ""; } = "";

    /// <summary>Uid of the pod.</summary>
    public string Uid { get; init => field = value ?? ""; } = "";

    /// <summary>Name of the container.</summary>
    public string Container { get; init => field = value ?? ""; } = "";

    /// <summary>Image as the pod names it.</summary>
    public string Image { get; init => field = value ?? ""; } = "";

    /// <summary>Image as the runtime resolved it, or empty.</summary>
    public string ImageDigest { get; init => field = value ?? ""; } = "";

    /// <summary>Name of the node.</summary>
    public string Node { get; init => field = value ?? ""; } = "";

    /// <summary>Kind of the pod's controller, or empty.</summary>
    public string OwnerKind { get; init => field = value ?? ""; } = "";

    /// <summary>Name of the pod's controller, or empty.</summary>
    public string OwnerName { get; init => field = value ?? ""; } = "";
}

/// <summary>Numbers of entries that found no room in the vendor note, by list.</summary>
public sealed record RecordOmissions
{
    /// <summary>Left out of <see cref="SnapshotRecord.Reasons"/>.</summary>
    public int Reasons { get; init; }

    /// <summary>Left out of <see cref="SnapshotRecord.Phases"/>.</summary>
    public int Phases { get; init; }

    /// <summary>Left out of <see cref="SnapshotRecord.ThreadStops"/>.</summary>
    public int ThreadStops { get; init; }

    /// <summary>Left out of <see cref="SnapshotRecord.NotOfTheInstant"/>.</summary>
    public int NotOfTheInstant { get; init; }

    /// <summary>Left out of <see cref="SnapshotRecord.Holes"/>.</summary>
    public int Holes { get; init; }

    /// <summary>Left out of <see cref="SnapshotRecord.Warnings"/>.</summary>
    public int Warnings { get; init; }

    /// <summary>Left out of <see cref="SnapshotRecord.Rounds"/>.</summary>
    public int Rounds { get; init; }
}
