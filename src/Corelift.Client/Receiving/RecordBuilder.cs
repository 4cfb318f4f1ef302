using Corelift.Elf;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;

namespace Corelift.Client.Receiving;

/// <summary>Composes the vendor note of a core from what the agent said and what came.</summary>
internal static class RecordBuilder
{
    private const int SmallestReserveBytes = 64 * 1024;
    private const int LargestReserveBytes = 8 * 1024 * 1024;
    private const int MostWarnings = 1024;
    private const int BytesPerThread = 96;
    private const int BytesPerRange = 200;
    private const int BytesPerRound = 80;

    /// <summary>Room for the note, before it is known which further holes the memory of the instant will have.</summary>
    internal static int ReserveBytes(ThreadCollector threads, VmaCollector vmas, Instant instant, int liveHoles) => (int)Math.Clamp(
        SmallestReserveBytes
            + ((long)threads.Stops.Count * BytesPerThread)
            + ((long)(vmas.Elisions.Count + vmas.NotOfTheInstant.Count + liveHoles) * BytesPerRange)
            + ((long)instant.Rounds.Count * BytesPerRound),
        SmallestReserveBytes,
        LargestReserveBytes);

    internal static SnapshotRecord Build(
        CaptureStarted started, Instant instant, ThreadCollector threads, VmaCollector vmas, MemoryReceiver memory, CaptureTrailer trailer,
        long unreferencedBytes)
    {
        Process process = started.Process;
        return new SnapshotRecord
        {
            ToolVersion = $"corelift {ClientVersion.Text}, agent {WireNames.Cut(started.AgentVersion)}",
            Strategy = WireNames.Of(instant.Strategy),
            Content = WireNames.Of(started.Plan.Content),
            Reasons = [.. started.Plan.Reasons.Concat(instant.Reasons).Select(WireNames.Cut)],
            StoppedAt = ToText(instant.StoppedAt),
            PauseNs = WireTime.ToNanoseconds(instant.Pause ?? trailer.Pause),
            SkewNs = WireTime.ToNanoseconds(instant.Skew) ?? 0,
            Phases = [.. instant.Phases.Select(p => new RecordPhase(WireNames.Cut(p.Name), WireTime.ToNanoseconds(p.Duration) ?? 0))],
            Rounds = [.. instant.Rounds.Select(r => new RecordRound((int)r.Round, r.MemoryBytes, WireTime.ToNanoseconds(r.Duration) ?? 0))],
            PartialBecause = WireNames.Cut(trailer.PartialBecause),
            UnreferencedBytes = unreferencedBytes,
            Host = WireNames.Cut(started.HostName),
            Kernel = WireNames.Cut(started.KernelRelease),
            CaptureId = WireNames.Cut(started.CaptureId),
            Pid = InstantFacts.ToPid(process.Summary.Ref.Pid),
            StartTimeTicks = process.Summary.Ref.StartTimeTicks,
            Executable = WireNames.Cut(process.Executable),
            BuildId = WireNames.Cut(process.BuildId),
            Pod = process.Summary.Pod is { } pod ? ToPod(pod) : null,
            ThreadStops = threads.Stops,
            NotOfTheInstant = vmas.NotOfTheInstant,
            Holes = [.. vmas.Elisions, .. memory.Holes],
            Totals = new RecordTotals(memory.MemoryBytes, memory.ChunkCount, memory.Digest),
            Warnings = [.. started.Plan.Warnings.Concat(trailer.Warnings).Distinct().Take(MostWarnings).Select(WireNames.Cut)],
        };
    }

    private static RecordPod ToPod(PodContainer pod) => new()
    {
        Namespace = WireNames.Cut(pod.Namespace),
        Name = WireNames.Cut(pod.Pod),
        Uid = WireNames.Cut(pod.PodUid),
        Container = WireNames.Cut(pod.Container),
        Image = WireNames.Cut(pod.Image),
        ImageDigest = WireNames.Cut(pod.ImageDigest),
        Node = WireNames.Cut(pod.Node),
        OwnerKind = WireNames.Cut(pod.OwnerKind),
        OwnerName = WireNames.Cut(pod.OwnerName),
    };

    private static string ToText(Timestamp? time)
    {
        try
        {
            return time is null ? "" : SnapshotRecord.FormatTime(time.Seconds, time.Nanos);
        }
        catch (ArgumentOutOfRangeException)
        {
            throw SnapshotException.Violation("a time of the stop that is none");
        }
    }
}
