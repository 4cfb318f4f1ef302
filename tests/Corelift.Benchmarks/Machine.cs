using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>Where and of what the figures are.</summary>
internal static class Machine
{
    internal static async Task<IReadOnlyList<string>> DescribeAsync(BenchmarkRun run)
    {
        string model = Field("/proc/cpuinfo", "model name") ?? "unknown CPU";
        long memoryKib = long.Parse(Field("/proc/meminfo", "MemTotal")!.Split(' ')[0], CultureInfo.InvariantCulture);
        CommandResult commit = await Command.RunAsync("git", ["-C", Artifacts.Root, "rev-parse", "--short=12", "HEAD"]);
        CommandResult changes = await Command.RunAsync("git", ["-C", Artifacts.Root, "status", "--porcelain", "--untracked-files=no"]);
        CommandResult gdb = await Command.RunAsync("gdb", ["--version"]);
        string kernel = (await File.ReadAllTextAsync("/proc/sys/kernel/osrelease")).Trim();
        return
        [
            $"machine: {model}, {Environment.ProcessorCount} CPUs, {memoryKib / 1048576.0:0.0} GiB; cores on {run.Disk}",
            $"kernel: {kernel}; load average {(await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0]} at the end; peer: {gdb.Output.Split('\n')[0]}",
            $"commit: {commit.Output.Trim()}{(changes.Output.Trim().Length > 0 ? " with changes" : "")}",
            $"date: {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC",
        ];
    }

    private static string? Field(string path, string key) =>
        File.ReadLines(path).FirstOrDefault(line => line.StartsWith(key, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
}
