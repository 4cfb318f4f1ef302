using Corelift.Benchmarks.Peers;

namespace Corelift.Benchmarks;

/// <summary>One line of the table: a shape through a program, with all its repeats.</summary>
internal sealed class Row(TargetShape shape, string peer)
{
    private readonly List<CaptureRun> _runs = [];

    internal TargetShape Shape { get; } = shape;

    internal string Peer { get; } = peer;

    internal IReadOnlyList<CaptureRun> Runs => _runs;

    /// <summary>Why it has no repeats, or no more; null where all went well.</summary>
    internal string? Trouble { get; private set; }

    /// <summary>Whether the trouble is one that this run should not have had.</summary>
    internal bool Failed { get; private set; }

    /// <summary>Whether another round is worth its time.</summary>
    internal bool IsOpen => Trouble is null;

    /// <summary>Median of the pauses; null without a repeat.</summary>
    internal TimeSpan? Pause => Middle(run => run.Pause);

    internal TimeSpan? Elapsed => Middle(run => run.Elapsed);

    internal TimeSpan? ReportedPause => Middle(run => run.ReportedPause);

    internal TimeSpan? Skew => Middle(run => run.Skew);

    internal TimeSpan? Cpu => Middle(run => run.Cpu);

    internal void Add(CaptureRun run) => _runs.Add(run);

    internal void Close(string trouble, bool failed)
    {
        Trouble = trouble;
        Failed = failed;
    }

    private TimeSpan? Middle(Func<CaptureRun, TimeSpan?> of)
    {
        TimeSpan[] values = [.. _runs.Select(of).OfType<TimeSpan>()];
        return values.Length == 0 ? null : values.Median();
    }
}
