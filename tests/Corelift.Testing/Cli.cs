using System.Text.Json;

namespace Corelift.Testing;

/// <summary>What <c>corelift snapshot --json</c> prints.</summary>
public sealed record SnapshotReport(
    string Core, string Strategy, int Threads, long Regions, long BytesCaptured, long PauseMicroseconds, long SkewMicroseconds,
    long ElapsedMilliseconds, IReadOnlyList<string> Warnings)
{
    /// <summary>Reads the one object.</summary>
    public static SnapshotReport Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        return new SnapshotReport(
            root.GetProperty("core").GetString()!,
            root.GetProperty("strategy").GetString()!,
            root.GetProperty("threads").GetInt32(),
            root.GetProperty("regions").GetInt64(),
            root.GetProperty("bytes_captured").GetInt64(),
            root.GetProperty("pause_us").GetInt64(),
            root.GetProperty("skew_us").GetInt64(),
            root.GetProperty("elapsed_ms").GetInt64(),
            [.. root.GetProperty("warnings").EnumerateArray().Select(warning => warning.GetString()!)]);
    }
}

/// <summary>The published command-line client.</summary>
public static class Cli
{
    /// <summary>Runs <c>corelift</c> against an agent, or against none.</summary>
    public static Task<CommandResult> RunAsync(AgentProcess? agent, params string[] arguments) => RunAsync(agent?.Address, arguments);

    /// <inheritdoc cref="RunAsync(AgentProcess, string[])"/>
    public static Task<CommandResult> RunAsync(string? address, params string[] arguments) =>
        RunAsync(address, new Dictionary<string, string>(), arguments);

    /// <summary>Runs <c>corelift</c> with more variables in its environment.</summary>
    public static Task<CommandResult> RunAsync(string? address, IReadOnlyDictionary<string, string> more, params string[] arguments)
    {
        Dictionary<string, string> environment = new(more) { ["NO_COLOR"] = "1" };
        if (address is not null)
        {
            environment["CORELIFT_AGENT"] = address;
        }

        return Command.RunAsync(Artifacts.Cli, arguments, environment);
    }

    /// <summary>Takes a snapshot; a failure is an exception with all that the program said.</summary>
    public static async Task<SnapshotReport> SnapshotAsync(
        AgentProcess agent, int pid, string core, string strategy = "auto", string content = "default", params string[] more)
    {
        CommandResult result = await RunAsync(
            agent, ["snapshot", $"{pid}", "-o", core, "--strategy", strategy, "--content", content, "--json", .. more]);
        return result.ExitCode == 0
            ? SnapshotReport.Parse(result.Output)
            : throw new TestingException($"corelift snapshot: exit code {result.ExitCode}\n{result.Output}{result.Errors}\nagent:\n{agent.Log}");
    }
}
