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
            _ => Describe(value),
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

    private string Describe(SnapshotProgress value)
    {
        _firstBytesAt ??= value.Elapsed;
        double seconds = (value.Elapsed - _firstBytesAt.Value).TotalSeconds;
        string rate = seconds > 0.05 ? $"  {Units.Size(value.ReceivedBytes / seconds)}/s" : "";
        if (value.ExpectedBytes <= 0)
        {
            return $"{Units.Size(value.ReceivedBytes)}{rate}";
        }

        double share = Math.Min(1, (double)value.ReceivedBytes / value.ExpectedBytes);
        int filled = (int)(share * BarWidth);
        string bar = new string('█', filled) + new string('░', BarWidth - filled);
        string percent = (share * 100).ToString("0", CultureInfo.InvariantCulture);
        return $"{bar} {percent,3} %  {Units.Size(value.ReceivedBytes)} of {Units.Size(value.ExpectedBytes)}{rate}";
    }
}
