using System.Diagnostics;

namespace Corelift.Client.Receiving;

/// <summary>Tells whoever wants to know how far a snapshot is: at once where a phase or round begins, else now and then.</summary>
internal sealed class ProgressReporter(IProgress<SnapshotProgress>? progress)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(50);

    private readonly long _startedAt = Stopwatch.GetTimestamp();
    private TimeSpan _reportedAt;
    private (SnapshotPhase Phase, uint Round)? _reported;

    /// <summary>Time since the request.</summary>
    internal TimeSpan Elapsed => Stopwatch.GetElapsedTime(_startedAt);

    internal void Report(SnapshotPhase phase, MemoryReceiver? memory, ulong expectedBytes, bool force)
    {
        uint round = memory?.Round ?? 0;
        if (!IsTime(phase, round, force))
        {
            return;
        }

        progress!.Report(new SnapshotProgress(phase, ToLong(memory?.MemoryBytes), ToLong(expectedBytes), _reportedAt)
        {
            Round = (int)round,
            RoundCount = (int)(memory?.LastRound ?? 0),
            RoundBytes = ToLong(memory?.RoundBytes),
        });
    }

    /// <summary>Tells of a sealed snapshot: nothing is known of it but how much came.</summary>
    internal void Report(SnapshotPhase phase, ulong bytes, bool force)
    {
        if (IsTime(phase, 0, force))
        {
            progress!.Report(new SnapshotProgress(phase, ToLong(bytes), 0, _reportedAt));
        }
    }

    private bool IsTime(SnapshotPhase phase, uint round, bool force)
    {
        TimeSpan elapsed = Elapsed;
        if (progress is null || (!force && _reported == (phase, round) && elapsed - _reportedAt < s_interval))
        {
            return false;
        }

        _reportedAt = elapsed;
        _reported = (phase, round);
        return true;
    }

    private static long ToLong(ulong? bytes) => (long)Math.Min(bytes ?? 0, long.MaxValue);
}
