using Corelift.Client;
using Corelift.Client.Tests.Scripted;
using Corelift.V1;

namespace Corelift.Cli.Tests;

/// <summary>What the program says of live rounds, and of cores from which memory is missing.</summary>
public sealed class PrecopyCommandTests
{
    [Fact]
    public async Task Json_has_the_rounds_and_what_the_file_holds_besides()
    {
        await using ScriptedAgent agent = await StartAsync(SyntheticCapture.WithRounds());

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"), "--strategy", "precopy", "--json");

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.Equal("precopy", run.Json.GetProperty("strategy").GetString());
        Assert.False(run.Json.GetProperty("partial").GetBoolean());
        Assert.Equal([(1, 1 << 20, 5000), (2, 1 << 20, 5000)], run.Json.GetProperty("rounds").EnumerateArray().Select(
            r => (r.GetProperty("round").GetInt32(), r.GetProperty("bytes").GetInt32(), r.GetProperty("us").GetInt32())));
        Assert.Contains("scan", run.Json.GetProperty("phases").EnumerateArray().Select(p => p.GetProperty("name").GetString()));
        Assert.Equal(4 * 4096, run.Json.GetProperty("unreferenced_bytes").GetInt64());
        Assert.True(run.Json.GetProperty("bytes_received").GetInt64() > run.Json.GetProperty("bytes_captured").GetInt64());
    }

    [Fact]
    public async Task Verify_tells_of_rounds_and_of_when_each_thread_stopped()
    {
        await using ScriptedAgent agent = await StartAsync(SyntheticCapture.WithRounds());
        CliRun snapshot = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"));

        CliRun text = await CliRun.AloneAsync("verify", agent.File("x.core"));
        CliRun json = await CliRun.AloneAsync("verify", agent.File("x.core"), "--json");

        Assert.Contains("by precopy in 2 live rounds", snapshot.Output, StringComparison.Ordinal);
        Assert.Equal((0, 0), (text.ExitCode, json.ExitCode));
        Assert.Contains("2: 1.00 MiB in 5.00 ms, 1.00 MiB in 5.00 ms", text.Output, StringComparison.Ordinal);
        Assert.Contains("2 threads, stopped after 100 µs (t4242, tid 4242) to 100 µs", text.Output, StringComparison.Ordinal);
        Assert.Contains("16.0 KiB of zeros, where live memory was", text.Output, StringComparison.Ordinal);
        Assert.Equal(2, json.Json.GetProperty("record").GetProperty("rounds").GetArrayLength());
        Assert.Equal(100_000, json.Json.GetProperty("record").GetProperty("thread_stops")[1].GetProperty("stopped_after_ns").GetInt64());
    }

    [Fact]
    public async Task A_partial_core_ends_with_7_and_is_named_for_what_it_is()
    {
        await using ScriptedAgent agent = await StartAsync(SyntheticCapture.Partial());

        CliRun json = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"), "--json");
        CliRun text = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("y.core"));
        CliRun pipe = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", "-");
        CliRun verify = await CliRun.AloneAsync("verify", agent.File("x.core.partial"));
        CliRun verifyJson = await CliRun.AloneAsync("verify", agent.File("x.core.partial"), "--json");

        Assert.Equal([7, 7, 7, 7, 7], [json.ExitCode, text.ExitCode, pipe.ExitCode, verify.ExitCode, verifyJson.ExitCode]);
        Assert.True(json.Json.GetProperty("partial").GetBoolean());
        Assert.Equal("the image was dropped: memory of the cgroup ran out", json.Json.GetProperty("partial_because").GetString());
        Assert.Equal(agent.File("x.core.partial"), json.Json.GetProperty("core").GetString());
        Assert.Contains($"-c {agent.File("y.core.partial")}", text.Output, StringComparison.Ordinal);
        Assert.Contains("the core is PARTIAL, memory is missing: the image was dropped", text.Errors, StringComparison.Ordinal);
        Assert.Contains("the core is PARTIAL", pipe.Errors, StringComparison.Ordinal);
        Assert.Contains("PARTIAL: sound, but memory is missing", verify.Output, StringComparison.Ordinal);
        Assert.True(verifyJson.Json.GetProperty("partial").GetBoolean());
        Assert.Equal(["x.core.partial", "y.core.partial"], agent.FilesLeft().Order());
    }

    [Fact]
    public async Task Precopy_into_a_pipe_is_wrong_usage_and_nobody_is_asked()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Capture = (_, _, _) => throw new InvalidOperationException("asked");

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", "-", "--strategy", "precopy");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("name a file with -o", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Plan_measures_what_is_written_only_where_it_may()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Plan = request =>
        {
            CapturePlan plan = new SyntheticCapture().Started.Plan;
            if (request.TrackingRound)
            {
                plan.DirtyBytesPerSecond = 3 << 20;
            }

            return new PlanResponse { Process = SyntheticCapture.NewProcess(), Plan = plan };
        };

        CliRun untouched = await CliRun.AgainstAsync(agent, "plan", "7");
        CliRun text = await CliRun.AgainstAsync(agent, "plan", "7", "--tracking-round");
        CliRun json = await CliRun.AgainstAsync(agent, "plan", "7", "--tracking-round", "--json");
        CliRun untouchedJson = await CliRun.AgainstAsync(agent, "plan", "7", "--json");

        Assert.DoesNotContain("a second", untouched.Output, StringComparison.Ordinal);
        Assert.Contains("to 3.00 MiB of further memory a second", text.Output, StringComparison.Ordinal);
        Assert.Equal(3 << 20, json.Json.GetProperty("dirty_bytes_per_second").GetInt64());
        Assert.Equal(System.Text.Json.JsonValueKind.Null, untouchedJson.Json.GetProperty("dirty_bytes_per_second").ValueKind);
    }

    [Fact]
    public void The_progress_line_tells_live_rounds_from_the_instant()
    {
        using StringWriter terminal = new();
        using Output.ProgressLine line = new(terminal);
        TimeSpan second = TimeSpan.FromSeconds(1);

        line.Report(new SnapshotProgress(SnapshotPhase.LiveRounds, 0, 4 << 20, second));
        line.Report(new SnapshotProgress(SnapshotPhase.LiveRounds, 1 << 20, 4 << 20, second) { Round = 1, RoundCount = 1, RoundBytes = 1 << 20 });
        line.Report(new SnapshotProgress(SnapshotPhase.LiveRounds, 5 << 20, 4 << 20, 2 * second) { Round = 2, RoundCount = 2, RoundBytes = 1 << 20 });
        line.Report(new SnapshotProgress(SnapshotPhase.Receiving, 6 << 20, 4 << 20, 3 * second) { RoundCount = 2, RoundBytes = 2 << 20 });

        Assert.Equal(
            ["tracking what the process writes ...", "round 1, running  ██████░░░░░░░░░░░░░░░░░░  25 %  1.00 MiB of 4.00 MiB", "round 2, running  1.00 MiB  5.00 MiB/s", "the instant  2.00 MiB  3.00 MiB/s"],
            terminal.ToString().Split("\r\x1b[K", StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task The_documented_name_of_the_longest_pause_is_the_one_in_help()
    {
        CliRun help = await CliRun.AloneAsync("snapshot", "--help");
        CliRun words = await CliRun.AloneAsync("[suggest:31]", "corelift snapshot 1 --strategy ");

        Assert.Contains("--max-pause <TIME>", help.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("--stop-budget", help.Output, StringComparison.Ordinal);
        Assert.Equal(["auto", "direct", "fork", "precopy"], words.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order());
    }

    private static async Task<ScriptedAgent> StartAsync(SyntheticCapture capture)
    {
        ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(capture.Messages());
        return agent;
    }
}
