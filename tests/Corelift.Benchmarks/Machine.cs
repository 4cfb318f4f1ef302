using System.ComponentModel;
using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>Where and of what the figures are.</summary>
internal static class Machine
{
    internal static async Task<IReadOnlyList<string>> DescribeAsync(BenchmarkRun run)
    {
        string model = Field("/proc/cpuinfo", "model name") ?? "unknown CPU";
        long memoryKib = long.Parse(Field("/proc/meminfo", "MemTotal")!.Split(' ')[0], CultureInfo.InvariantCulture);
        string changes = await SayAsync("git", "-C", Artifacts.Root, "status", "--porcelain", "--untracked-files=no");
        string commit = await SayAsync("git", "-C", Artifacts.Root, "rev-parse", "--short=12", "HEAD");
        string pages = (await File.ReadAllTextAsync("/sys/kernel/mm/transparent_hugepage/enabled")).Trim();
        return
        [
            $"machine: {model}, {Environment.ProcessorCount} CPUs, {memoryKib / 1048576.0:0.0} GiB; cores on {run.Disk}; "
                + $"transparent huge pages {pages}",
            $"kernel: {(await File.ReadAllTextAsync("/proc/sys/kernel/osrelease")).Trim()}",
            $"peers: {await SayAsync("gdb", "--version")}; {await SayAsync("gdbserver", "--version")}; CRIU {await SayAsync("criu", "--version")}; "
                + await SayAsync("redis-benchmark", "--version"),
            $"commit: {commit}{(changes.Length > 0 ? " with changes" : "")}",
            $"date: {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC; load average at the start {LoadAverage()}",
        ];
    }

    /// <summary>Of the last minute: targets and loads of the benchmark itself among it.</summary>
    internal static string LoadAverage() => File.ReadAllText("/proc/loadavg").Split(' ')[0];

    // The first line of what it says.
    private static async Task<string> SayAsync(string program, params string[] arguments)
    {
        try
        {
            return (await Command.RunAsync(program, arguments)).Output.Split('\n')[0].Replace("Version: ", "", StringComparison.Ordinal).Trim();
        }
        catch (Win32Exception)
        {
            return $"{program} is not there";
        }
    }

    private static string? Field(string path, string key) =>
        File.ReadLines(path).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
}
