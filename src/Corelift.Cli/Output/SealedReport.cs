using Corelift.Client;

namespace Corelift.Cli.Output;

/// <summary>What is said of a snapshot that stays sealed.</summary>
internal static class SealedReport
{
    internal static void Print(TextWriter report, SealedSnapshotResult result, string? path, bool json)
    {
        if (json)
        {
            JsonOutput.Print(report, writer =>
            {
                writer.WriteString("sealed", result.Path ?? "-");
                writer.WriteNumber("bytes", result.FileLengthBytes);
                writer.WriteNumber("elapsed_ms", (long)result.Elapsed.TotalMilliseconds);
            });
            return;
        }

        double seconds = Math.Max(result.Elapsed.TotalSeconds, 0.001);
        report.WriteLine(TerminalText.Escape($"{path ?? "standard output"}: {Units.Size(result.FileLengthBytes)} sealed in "
            + $"{Units.Time(result.Elapsed)} ({Units.Size(result.FileLengthBytes / seconds)}/s)"));
        if (path is not null)
        {
            report.WriteLine(TerminalText.Escape($"next, where the private key is: corelift open {SnapshotReport.Quote(path)} -i KEYFILE"));
        }
    }
}
