using System.Globalization;
using Corelift.Client;

namespace Corelift.Cli;

/// <summary>One line on stderr that says how far a snapshot is; only on a terminal.</summary>
internal sealed class ProgressBar : IProgress<SnapshotProgress>, IDisposable
{
    private const int Width = 30;
    private readonly Lock _lock = new();
    private bool _shown;

    private ProgressBar()
    {
    }

    /// <summary>A bar, or null where stderr is not a terminal.</summary>
    internal static ProgressBar? Create() => Console.IsErrorRedirected ? null : new ProgressBar();

    public void Report(SnapshotProgress value)
    {
        string text = value.Phase switch
        {
            SnapshotPhase.Planning => "planning",
            SnapshotPhase.Stopping => "stopping",
            SnapshotPhase.Receiving => Describe(value),
            _ => string.Empty,
        };
        lock (_lock)
        {
            Console.Error.Write("\r\x1b[K" + text);
            _shown = text.Length > 0;
        }
    }

    public void Dispose() => Clear();

    internal void Clear()
    {
        lock (_lock)
        {
            if (_shown)
            {
                Console.Error.Write("\r\x1b[K");
                _shown = false;
            }
        }
    }

    private static string Describe(SnapshotProgress value)
    {
        double share = value.ExpectedBytes > 0 ? Math.Clamp((double)value.ReceivedBytes / value.ExpectedBytes, 0, 1) : 0;
        int full = (int)(share * Width);
        double rate = value.ReceivedBytes / Math.Max(0.001, value.Elapsed.TotalSeconds);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"[{new string('#', full)}{new string('.', Width - full)}] {share * 100,3:F0} %  {TerminalText.Bytes(value.ReceivedBytes)}  {TerminalText.Bytes(rate)}/s");
    }
}
