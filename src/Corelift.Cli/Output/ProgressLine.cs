using System.Globalization;
using Corelift.Client;

namespace Corelift.Cli.Output;

/// <summary>One line on a terminal that says how far a snapshot is, and at what rate.</summary>
internal sealed class ProgressLine(TextWriter terminal) : IProgress<SnapshotProgress>, IDisposable
{
    private const int BarWidth = 24;
    private const string ClearLine = "\r\x1b[K";

    private bool _isShown;
    private TimeSpan? _firstBytesAt;

    public void Report(SnapshotProgress value)
    {
        string line = value.Phase switch
        {
            SnapshotPhase.Planning => "planning ...",
            SnapshotPhase.Stopping => "stopping ...",
            SnapshotPhase.LiveRounds when value.Round == 0 => "tracking what the process writes ...",
            SnapshotPhase.LiveRounds when value.Round == 1 => $"round 1, running  {Bar(value)}{Rate(value)}",
            SnapshotPhase.LiveRounds => $"round {value.Round}, running  {Units.Size(value.RoundBytes)}{Rate(value)}",
            _ when value.RoundCount > 0 => $"the instant  {Units.Size(value.RoundBytes)}{Rate(value)}",
            _ => $"{Bar(value)}{Rate(value)}",
        };
        terminal.Write($"{ClearLine}{line}");
        terminal.Flush();
        _isShown = true;
    }

    /// <summary>Clears the line, for what is said afterwards.</summary>
    public void Dispose()
    {
        if (_isShown)
        {
            terminal.Write(ClearLine);
            terminal.Flush();
        }
    }

    private string Rate(SnapshotProgress value)
    {
        _firstBytesAt ??= value.Elapsed;
        double seconds = (value.Elapsed - _firstBytesAt.Value).TotalSeconds;
        return seconds > 0.05 ? $"  {Units.Size(value.ReceivedBytes / seconds)}/s" : "";
    }

    private static string Bar(SnapshotProgress value)
    {
        if (value.ExpectedBytes <= 0)
        {
            return Units.Size(value.ReceivedBytes);
        }

        double share = Math.Min(1, (double)value.ReceivedBytes / value.ExpectedBytes);
        int filled = (int)(share * BarWidth);
        string bar = new string('█', filled) + new string('░', BarWidth - filled);
        string percent = (share * 100).ToString("0", CultureInfo.InvariantCulture);
        return $"{bar} {percent,3} %  {Units.Size(value.ReceivedBytes)} of {Units.Size(value.ExpectedBytes)}";
    }
}
