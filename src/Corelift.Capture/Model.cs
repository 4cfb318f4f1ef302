using Corelift.Linux.Procfs;

namespace Corelift.Capture;

/// <summary>How the instant of a snapshot is held.</summary>
public enum CaptureStrategy
{
    /// <summary>Chosen from what is known of the target, with reasons.</summary>
    Auto,

    /// <summary>Memory is copied while the target is stopped.</summary>
    Direct,

    /// <summary>A copy-on-write image is made while the target is stopped, and read while it runs.</summary>
    Fork,

    /// <summary>Memory is read while the target runs; only what it wrote meanwhile is copied while it is stopped.</summary>
    Precopy,
}

/// <summary>How much of the memory is captured.</summary>
public enum CaptureContent
{
    /// <summary>What the target's coredump_filter says; with the mapped assemblies where it hosts CoreCLR.</summary>
    Default,

    /// <summary>Every readable byte; device and VM_IO mappings are left out.</summary>
    Full,

    /// <summary>Registers, stacks, and what a debugger needs for a backtrace with the binaries at hand.</summary>
    Stacks,
}

/// <summary>How far a region's bytes can be trusted to be of the instant.</summary>
public enum Consistency : byte
{
    /// <summary>No bytes.</summary>
    None,

    /// <summary>Of the instant.</summary>
    Instant,

    /// <summary>Private pages are of the instant; pages of the mapped file are as the file is when read.</summary>
    File,

    /// <summary>Shared memory as it was when it was read, after the resume.</summary>
    Live,

    /// <summary>Shared memory copied in the pause: other processes could write to it.</summary>
    Shared,

    /// <summary>Shared memory read while the target ran: what the target wrote since is of the instant, what others wrote is not.</summary>
    SharedLive,
}

/// <summary>Why a range has no bytes; the values are those of the wire contract's HoleReason.</summary>
public enum HoleCause : byte
{
    /// <summary>It has bytes.</summary>
    None = 0,

    /// <summary>Not in the requested content.</summary>
    NotInContent = 1,

    /// <summary>The kernel refuses to read it.</summary>
    Unreadable = 2,

    /// <summary>MADV_DONTDUMP.</summary>
    DontDump = 3,

    /// <summary>MADV_DONTFORK, and it did not fit the budget of the pause.</summary>
    NotForked = 4,

    /// <summary>MADV_WIPEONFORK, and it did not fit the budget of the pause.</summary>
    WipedOnFork = 5,

    /// <summary>Nobody could tell which pages exist.</summary>
    PresenceUnknown = 6,

    /// <summary>A device mapping.</summary>
    Device = 8,

    /// <summary>Given up before it was read, for the target's sake.</summary>
    Dropped = 9,

    /// <summary>Marked as secret by its owner, and not asked for.</summary>
    Secret = 10,
}

/// <summary>Where a region's bytes are read from.</summary>
public enum RegionSource : byte
{
    /// <summary>Nowhere: it has no bytes.</summary>
    None,

    /// <summary>The mem file of the image (or of the stopped target), pages that exist only.</summary>
    PresentPages,

    /// <summary>The mem file of the image, every page: pages of a mapped file need not be present.</summary>
    AllPages,

    /// <summary>What was copied in the pause.</summary>
    PauseCopy,

    /// <summary>The mem file of the target while it runs.</summary>
    LivePages,

    /// <summary>
    /// Strategy precopy: read while the target ran; what was written since is in the pause copy, or in the image.
    /// </summary>
    Tracked,

    /// <summary>Strategy precopy: a mapped file that this process cannot write to, read while the target runs.</summary>
    LiveFile,
}

/// <summary>A part of a VMA and what happens to it. Half-open and page-aligned.</summary>
public readonly record struct CaptureRegion(
    ulong Start, ulong End, int VmaIndex, Consistency Consistency, HoleCause Hole, RegionSource Source)
{
    /// <summary>Length in bytes.</summary>
    public ulong LengthBytes => End - Start;

    /// <summary>Whether the core holds its bytes.</summary>
    public bool HasBytes => Source != RegionSource.None;
}

/// <summary>What is wanted of a capture, after defaults and maxima have been applied.</summary>
public sealed record CaptureRequest
{
    /// <summary>How.</summary>
    public CaptureStrategy Strategy { get; init; }

    /// <summary>What.</summary>
    public CaptureContent Content { get; init; }

    /// <summary>Longest time the target may be stopped.</summary>
    public required TimeSpan StopBudget { get; init; }

    /// <summary>Most bytes of shared and unforkable memory that strategy fork copies in the pause.</summary>
    public required long PauseCopyLimitBytes { get; init; }

    /// <summary>Bytes of shared memory that strategy precopy copies in the pause; the rest is tracked.</summary>
    public required long PrecopyCopyLimitBytes { get; init; }

    /// <summary>Most bytes that are read a second; 0 for as fast as the client takes them.</summary>
    public long RateLimitBytesPerSecond { get; init; }

    /// <summary>Whether strategy precopy has not been found impossible for this target.</summary>
    internal bool CanTrack { get; init; } = true;

    /// <summary>Whether the client can write at any place of its core: strategy precopy needs that.</summary>
    public bool SinkCanSeek { get; init; } = true;

    /// <summary>What is secret, and whether it is captured all the same.</summary>
    public SecretMemory Secrets { get; init; } = SecretMemory.Usual;

    /// <summary>Asked when the target is seized, before it is stopped; null for nobody.</summary>
    public ApproveTarget? Approve { get; init; }

    /// <summary>Whether the target's tasks are gathered on one CPU at lowest priority shortly before the stop.</summary>
    public bool Quiesces { get; init; }
}

/// <summary>The pause by phase, in nanoseconds; a phase that did not happen is 0.</summary>
public readonly record struct PausePhases(long Interrupt, long Registers, long Scan, long Copy, long Fork, long Resume);

/// <summary>What one round of strategy precopy read before the stop.</summary>
/// <param name="Number">From 1.</param>
/// <param name="MemoryBytes">Bytes read, zeros included.</param>
/// <param name="Duration">From the look at what was written until the last byte was taken.</param>
public readonly record struct LiveRound(int Number, ulong MemoryBytes, TimeSpan Duration);

/// <summary>What a plan or a capture would do with a target.</summary>
public sealed record CapturePlan
{
    /// <summary>Chosen strategy, never Auto.</summary>
    public required CaptureStrategy Strategy { get; init; }

    /// <summary>Whether strategy direct must stream while the target is stopped, as the spool is too small.</summary>
    public bool StreamsWhileStopped { get; init; }

    /// <summary>Why this one and not the others.</summary>
    public required IReadOnlyList<string> Reasons { get; init; }

    /// <summary>What the snapshot will not hold, or not of one instant.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Estimate of the pause.</summary>
    public required TimeSpan EstimatedPause { get; init; }

    /// <summary>Present bytes of private anonymous memory.</summary>
    public required ulong AnonymousBytes { get; init; }

    /// <summary>Present bytes of private file mappings.</summary>
    public required ulong FileBytes { get; init; }

    /// <summary>Present bytes of shared memory.</summary>
    public required ulong SharedBytes { get; init; }

    /// <summary>Bytes that fork copies in the pause.</summary>
    public required ulong PauseCopyBytes { get; init; }

    /// <summary>Bytes a second that the target was found to write anew; null where that was not measured.</summary>
    public ulong? DirtyBytesPerSecond { get; init; }

    /// <summary>Number of tasks.</summary>
    public required int ThreadCount { get; init; }

    /// <summary>Number of VMAs.</summary>
    public required int VmaCount { get; init; }

    /// <summary>Sum of the bytes by category.</summary>
    public ulong TotalBytes => AnonymousBytes + FileBytes + SharedBytes;
}

/// <summary>A VMA of the instant with its regions.</summary>
public sealed record CapturedVma(Vma Vma, IReadOnlyList<CaptureRegion> Regions);
