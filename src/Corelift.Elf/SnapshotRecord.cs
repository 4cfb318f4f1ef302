using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Corelift.Elf;

/// <summary>
/// What a core says of its own making, in the vendor note: how and when it was taken, what it does not hold, and what in it
/// is not of the instant. JSON with snake_case names; addresses and the digest are strings of hexadecimal digits, since
/// many JSON readers cut numbers above 2^53. Members that a reader does not know are skipped.
/// </summary>
public sealed record SnapshotRecord
{
    /// <summary>Owner name of the vendor note.</summary>
    public const string NoteOwner = "CORELIFT";

    /// <summary>Type of the vendor note.</summary>
    public const uint NoteType = 0x434C0001;

    /// <summary>The <see cref="FormatVersion"/> that this code writes.</summary>
    public const int CurrentFormatVersion = 1;

    // The generated deserialiser sets every init-only member and gives those missing from the JSON default(T), past the
    // initialiser: hence "value ?? ..." below. An explicit null is refused before it comes here.

    /// <summary>Version of these members' meaning; raised when one changes, not when one is added. 0: the JSON has none.</summary>
    public int FormatVersion { get; init; } = CurrentFormatVersion;

    /// <summary>Version of the program that wrote the core.</summary>
    public string ToolVersion { get; init => field = value ?? ""; } = "";

    /// <summary>Strategy that was used in the end: "direct", "fork", "precopy".</summary>
    public string Strategy { get; init => field = value ?? ""; } = "";

    /// <summary>Content: "default", "full", "stacks".</summary>
    public string Content { get; init => field = value ?? ""; } = "";

    /// <summary>Why this strategy: one sentence each.</summary>
    public IReadOnlyList<string> Reasons { get; init => field = value ?? []; } = [];

    /// <summary>First request to stop, RFC 3339 in UTC with nanoseconds (<see cref="FormatTime"/>), or empty.</summary>
    public string StoppedAt { get; init => field = value ?? ""; } = "";

    /// <summary>Nanoseconds from the first request to stop until the last task ran again; null under a lease.</summary>
    public long? PauseNs { get; init; }

    /// <summary>Nanoseconds between the first and the last task's stop.</summary>
    public long SkewNs { get; init; }

    /// <summary>The pause by phase, in the order they came.</summary>
    public IReadOnlyList<RecordPhase> Phases { get; init => field = value ?? []; } = [];

    /// <summary>Strategy precopy: the rounds before the stop, in their order.</summary>
    public IReadOnlyList<RecordRound> Rounds { get; init => field = value ?? []; } = [];

    /// <summary>Why memory is missing that the snapshot should have, or empty for a whole one.</summary>
    public string PartialBecause { get; init => field = value ?? ""; } = "";

    /// <summary>
    /// Bytes in the file that belong to no segment and are zero: live memory came there of addresses that were gone at the
    /// instant.
    /// </summary>
    public long UnreferencedBytes { get; init; }

    /// <summary>Host name of the agent.</summary>
    public string Host { get; init => field = value ?? ""; } = "";

    /// <summary>Kernel release of the host.</summary>
    public string Kernel { get; init => field = value ?? ""; } = "";

    /// <summary>Name of the capture in the agent's logs.</summary>
    public string CaptureId { get; init => field = value ?? ""; } = "";

    /// <summary>Thread-group id of the process.</summary>
    public int Pid { get; init; }

    /// <summary>Start of the process in clock ticks since boot (field 22 of /proc/PID/stat).</summary>
    public ulong StartTimeTicks { get; init; }

    /// <summary>Path of the executable.</summary>
    public string Executable { get; init => field = value ?? ""; } = "";

    /// <summary>Build-id of the executable as hexadecimal digits, or empty.</summary>
    public string BuildId { get; init => field = value ?? ""; } = "";

    /// <summary>The Kubernetes container that it ran in; null outside one, or where the agent did not know.</summary>
    public RecordPod? Pod { get; init; }

    /// <summary>When each task stopped.</summary>
    public IReadOnlyList<RecordThreadStop> ThreadStops { get; init => field = value ?? []; } = [];

    /// <summary>Ranges whose bytes may not be of the instant.</summary>
    public IReadOnlyList<RecordInconsistency> NotOfTheInstant { get; init => field = value ?? []; } = [];

    /// <summary>Ranges without bytes, and why; those found while reading are zero in the core.</summary>
    public IReadOnlyList<RecordHole> Holes { get; init => field = value ?? []; } = [];

    /// <summary>Sums over the memory. Only a snapshot that came to its end has them.</summary>
    public RecordTotals? Totals { get; init; }

    /// <summary>What a reader should know: one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; init => field = value ?? []; } = [];

    /// <summary>Entries that found no room; null where nothing was left out.</summary>
    public RecordOmissions? Omitted { get; init; }

    /// <summary>Whether the snapshot came to its end.</summary>
    [JsonIgnore]
    public bool IsComplete => Totals is not null;

    /// <summary>Whether memory is missing that the snapshot should have.</summary>
    [JsonIgnore]
    public bool IsPartial => PartialBecause.Length > 0;

    /// <summary>
    /// Writes the record as JSON, UTF-8, in ASCII characters only. Neighbouring ranges that say the same become one first.
    /// If the result is still too long, entries are left out from the end of the longest lists and counted in
    /// <see cref="Omitted"/>.
    /// </summary>
    /// <param name="maxBytes">Most bytes of the result.</param>
    /// <exception cref="CoreFormatException">Not even the record without its lists has room.</exception>
    public byte[] ToJson(int maxBytes = int.MaxValue) => RecordFitter.Fit(this, maxBytes);

    /// <summary>Reads a record. Space around the JSON is skipped. The input is not trusted.</summary>
    /// <exception cref="CoreFormatException">Not JSON, or not of this shape.</exception>
    public static SnapshotRecord Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            SnapshotRecord record = JsonSerializer.Deserialize(json, RecordJson.Default.SnapshotRecord)
                ?? throw new CoreFormatException("the vendor note holds null");
            return record.HasNullEntries() ? throw new CoreFormatException("a list of the vendor note holds null") : record;
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or DecoderFallbackException)
        {
            throw new CoreFormatException($"vendor note: {failure.Message}", failure);
        }
    }

    /// <summary>Formats a time as <see cref="StoppedAt"/> wants it; a DateTimeOffset holds no nanoseconds.</summary>
    /// <param name="unixSeconds">Seconds since 1970, UTC; years 1 to 9999.</param>
    /// <param name="nanoseconds">0 to 999,999,999.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value outside its bounds.</exception>
    public static string FormatTime(long unixSeconds, int nanoseconds)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(nanoseconds);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(nanoseconds, 999_999_999);
        DateTimeOffset time = DateTimeOffset.FromUnixTimeSeconds(unixSeconds);
        return string.Create(CultureInfo.InvariantCulture, $"{time:yyyy-MM-ddTHH:mm:ss}.{nanoseconds:D9}Z");
    }

    private bool HasNullEntries() =>
        Reasons.Any(e => e is null) || Phases.Any(e => e is null) || ThreadStops.Any(e => e is null)
        || NotOfTheInstant.Any(e => e is null) || Holes.Any(e => e is null) || Warnings.Any(e => e is null)
        || Rounds.Any(e => e is null);
}
