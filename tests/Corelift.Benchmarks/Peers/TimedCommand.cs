using System.Globalization;

namespace Corelift.Benchmarks.Peers;

/// <summary>What GNU time says of a program and the children it waited for.</summary>
internal sealed record TimedUsage(TimeSpan Cpu, long PeakBytes)
{
    /// <summary>Seconds of user and system time, and the largest resident size in KiB, as <see cref="Format"/> asks for them.</summary>
    internal const string Format = "%U %S %M";

    internal static TimedUsage Parse(string text)
    {
        // Where the program failed, a line that says so comes first.
        string[] fields = text.Trim().Split('\n')[^1].Split(' ');
        return new TimedUsage(
            TimeSpan.FromSeconds(Number(fields[0]) + Number(fields[1])), long.Parse(fields[2], CultureInfo.InvariantCulture) * 1024);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}

/// <summary>Runs a peer's program below GNU time.</summary>
internal static class TimedCommand
{
    private const string Time = "/usr/bin/time";
    private static readonly Dictionary<string, string> s_environment = new() { ["NO_COLOR"] = "1", ["DEBUGINFOD_URLS"] = "" };

    internal static string[] Prefix(string usagePath) => [Time, "-f", TimedUsage.Format, "-o", usagePath, "--"];

    internal static async Task<(CommandResult Result, TimedUsage Usage)> RunAsync(
        BenchmarkRun run, TimeSpan bound, string program, params string[] arguments)
    {
        string path = run.ScratchPath("usage");
        string[] words = [.. Prefix(path), program, .. arguments];
        CommandResult result = await Command.RunAsync(words[0], words[1..], s_environment, bound, run.Cancellation);
        return (result, TimedUsage.Parse(await File.ReadAllTextAsync(path, run.Cancellation)));
    }
}
