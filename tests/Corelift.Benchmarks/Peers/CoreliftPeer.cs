using System.Globalization;
using System.Text.Json;

namespace Corelift.Benchmarks.Peers;

/// <summary><c>corelift snapshot</c> by one strategy, from an agent that has run since the benchmark began, or one of the caller's.</summary>
internal sealed class CoreliftPeer(string strategy, AgentProcess? shared = null) : Peer(strategy)
{
    private const int Refused = 4, Usage = 2;
    private static readonly TimeSpan s_sampling = TimeSpan.FromMilliseconds(50);

    private AgentProcess? _agent;

    // The agent's own 2 s are for everybody but direct, whose pause grows with the memory: it is to be measured, not refused.
    private string[] Budget => Name == "direct" ? ["--stop-budget", "30s"] : [];

    internal override async Task<CaptureRun> CaptureAsync(BenchmarkRun run, LiveProcess target)
    {
        AgentProcess agent = await AgentAsync();
        TimeSpan cpu = CpuOf(agent);
        MemorySampler sampler = new(agent.Pid, s_sampling);
        (CommandResult result, string core) captured;
        await using (sampler)
        {
            captured = await SnapshotAsync(run, agent, target.Pid, "--json");
        }

        cpu = CpuOf(agent) - cpu;
        RequireWhole([captured.core], LeastBytes(target));
        SnapshotReport report = SnapshotReport.Parse(captured.result.Output);
        RequireStrategy(report);
        string note = Note(report.Strategy, captured.result.Output);
        return new CaptureRun
        {
            Elapsed = captured.result.Elapsed,
            ReportedPause = TimeSpan.FromMicroseconds(report.PauseMicroseconds),
            Skew = TimeSpan.FromMicroseconds(report.SkewMicroseconds),
            Cpu = cpu,
            MemoryBytes = sampler.Peak.Own + sampler.Peak.Spool,
            Note = note,
        };
    }

    /// <summary>Runs the command; what it printed, and the core's path.</summary>
    internal async Task<(CommandResult Result, string Core)> SnapshotAsync(BenchmarkRun run, int pid, params string[] more) =>
        await SnapshotAsync(run, await AgentAsync(), pid, more);

    private static TimeSpan CpuOf(AgentProcess agent) => ProcessCpu.WithEndedChildren(agent.Pid) + ProcessCpu.WithEndedChildren(agent.FrontEndPid);

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        await StopAsync();
        await base.DisposeAsync();
    }

    private async Task<(CommandResult Result, string Core)> SnapshotAsync(BenchmarkRun run, AgentProcess agent, int pid, params string[] more)
    {
        string core = run.ScratchPath("corelift.core");
        CommandResult result = await Command.RunAsync(
            Artifacts.Cli,
            ["snapshot", $"{pid}", "-o", core, "--force", "--strategy", Name, .. Budget, "--agent", agent.Address, .. more],
            new Dictionary<string, string> { ["NO_COLOR"] = "1" }, cancellation: run.Cancellation);
        return result.ExitCode switch
        {
            0 => (result, core),
            Refused or Usage => throw new CannotException($"refused: {result.Errors.OneLine()}"),
            _ => throw new TestingException($"exit code {result.ExitCode}: {result.Errors.OneLine()}; agent: {agent.Log.LastLine()}"),
        };
    }

    // Started at its first use and again where it has gone; nothing that another strategy left warm helps this one.
    private async Task<AgentProcess> AgentAsync()
    {
        if (shared is not null)
        {
            return shared;
        }

        if (_agent is { HasExited: true })
        {
            await StopAsync();
        }

        return _agent ??= await AgentProcess.StartAsync();
    }

    private async Task StopAsync()
    {
        if (_agent is not null)
        {
            await _agent.DisposeAsync();
            _agent = null;
        }
    }

    private void RequireStrategy(SnapshotReport report)
    {
        if (Name != "auto" && report.Strategy != Name)
        {
            throw new CannotException($"the agent took {report.Strategy} in its place: {string.Join(' ', report.Warnings).OneLine()}");
        }
    }

    private string Note(string strategy, string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        if (document.RootElement.TryGetProperty("partial", out JsonElement partial) && partial.GetBoolean())
        {
            throw new TestingException($"a partial core: {document.RootElement.GetProperty("partial_because").GetString()?.OneLine()}");
        }

        string chosen = Name == "auto" ? $"chose {strategy}" : "";
        return document.RootElement.TryGetProperty("rounds", out JsonElement rounds) && rounds.ValueKind == JsonValueKind.Array
            && rounds.GetArrayLength() > 0
            ? string.Create(CultureInfo.InvariantCulture, $"{chosen} {rounds.GetArrayLength()} rounds").Trim()
            : chosen;
    }
}
