namespace Corelift.Client;

/// <summary>
/// How much a client takes from an agent before it calls the stream absurd and gives up. An agent is not trusted; every
/// count it claims is compared with one of these before anything is allocated for it.
/// </summary>
public sealed record SnapshotLimits
{
    /// <summary>Most tasks.</summary>
    public int MaxThreads { get; init; } = 100_000;

    /// <summary>Most VMAs, of the instant and, apart from them, before it. The kernel's own default (vm.max_map_count) is 65530.</summary>
    public int MaxVmas { get; init; } = 262_144;

    /// <summary>Most regions of all VMAs together.</summary>
    public int MaxRegions { get; init; } = 1_048_576;

    /// <summary>Longest register set in bytes.</summary>
    public int MaxRegisterSetBytes { get; init; } = 64 * 1024;

    /// <summary>Most bytes of register sets of all tasks together.</summary>
    public long MaxRegisterBytes { get; init; } = 512L * 1024 * 1024;

    /// <summary>Longest name of a VMA in bytes.</summary>
    public int MaxNameBytes { get; init; } = 8192;

    /// <summary>Most bytes of names of all VMAs together.</summary>
    public long MaxNamesBytes { get; init; } = 128L * 1024 * 1024;

    /// <summary>Longest auxiliary vector in bytes.</summary>
    public int MaxAuxvBytes { get; init; } = 16 * 1024;

    /// <summary>
    /// Most holes found while reading, at any time. Neighbours that say the same count once, but for those that come in one
    /// live round.
    /// </summary>
    public int MaxHoles { get; init; } = 1_048_576;

    /// <summary>Most ranges that are zero at the instant though they were not before. Neighbours count once.</summary>
    public int MaxZeroRanges { get; init; } = 4_194_304;

    /// <summary>Most live rounds.</summary>
    public int MaxRounds { get; init; } = 1000;

    /// <summary>
    /// Most bytes of memory, over all live rounds and the instant. Each address can come once only in each of them, so the
    /// captured ranges and the number of rounds bound it as well; the core's file they bound without the rounds.
    /// </summary>
    public ulong MaxMemoryBytes { get; init; } = ulong.MaxValue;
}
