using Corelift.Client.Tests.Scripted;
using Corelift.Elf;
using Corelift.V1;
using Grpc.Core;

namespace Corelift.Cli.Tests;

public sealed class SnapshotCommandTests
{
    [Fact]
    public async Task Json_is_one_object_with_what_scripts_need()
    {
        await using ScriptedAgent agent = await StartAsync();

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"), "--json");

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.Equal(agent.File("x.core"), run.Json.GetProperty("core").GetString());
        Assert.Equal("fork", run.Json.GetProperty("strategy").GetString());
        Assert.Equal(2, run.Json.GetProperty("threads").GetInt32());
        Assert.Equal(3, run.Json.GetProperty("regions").GetInt32());
        Assert.Equal((2 + 256 + 212 + 3) * 4096, run.Json.GetProperty("bytes_captured").GetInt64());
        Assert.Equal(21_400, run.Json.GetProperty("pause_us").GetInt64());
        Assert.Equal(310, run.Json.GetProperty("skew_us").GetInt64());
        Assert.True(run.Json.GetProperty("elapsed_ms").GetInt64() >= 0);
        Assert.Equal(2, run.Json.GetProperty("warnings").GetArrayLength());
        Assert.Equal("c-1", run.Json.GetProperty("capture_id").GetString());
    }

    [Fact]
    public async Task People_get_four_lines_and_the_next_command()
    {
        await using ScriptedAgent agent = await StartAsync();

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"));

        string[] lines = run.Output.TrimEnd().Split('\n');
        Assert.Equal(4, lines.Length);
        Assert.Equal("worker (pid 4242): 2 threads, 3 regions, by fork", lines[0]);
        Assert.Equal("paused for 21.4 ms; its threads stopped within 310 µs", lines[1]);
        Assert.StartsWith($"{agent.File("x.core")}: 1.85 MiB of memory in ", lines[2], StringComparison.Ordinal);
        Assert.Equal($"next: gdb -q /usr/bin/worker -c {agent.File("x.core")}", lines[3]);
        Assert.Contains("warning: a warning of the trailer", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_terminal_sees_progress_and_a_pipe_does_not()
    {
        await using ScriptedAgent agent = await StartAsync();
        string[] arguments = ["snapshot", "4242", "-o", agent.File("x.core"), "--force", "--agent", agent.Address];

        CliRun terminal = await CliRun.RunAsync(arguments, isTerminal: true, default);
        CliRun pipe = await CliRun.RunAsync(arguments, isTerminal: false, default);

        Assert.Contains("planning", terminal.Errors, StringComparison.Ordinal);
        Assert.Contains(" %  ", terminal.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("\x1b", pipe.Errors + pipe.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(" %  ", pipe.Errors + pipe.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_core_goes_into_a_pipe_and_the_report_beside_it()
    {
        await using ScriptedAgent agent = await StartAsync();

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", "-", "--json");

        Assert.Equal((0, ""), (run.ExitCode, run.Output));
        Assert.Contains("\"core\": \"-\"", run.Errors, StringComparison.Ordinal);
        using MemoryStream core = new(run.OutputBytes);
        Assert.True(CoreVerifier.Verify(core).IsSound);
    }

    [Fact]
    public async Task A_core_is_not_written_to_a_terminal()
    {
        await using ScriptedAgent agent = await StartAsync();

        CliRun run = await CliRun.RunAsync(["snapshot", "4242", "-o", "-", "--agent", agent.Address], isTerminal: true, default);

        Assert.Equal(2, run.ExitCode);
        Assert.Empty(run.OutputBytes);
    }

    [Fact]
    public async Task A_name_stands_for_the_one_process_that_has_it()
    {
        await using ScriptedAgent agent = await StartAsync();
        ProcessRef? asked = null;
        Func<CaptureRequest, IServerStreamWriter<CaptureResponse>, ServerCallContext, Task> capture = agent.Script.Capture;
        agent.Script.Capture = (request, writer, context) =>
        {
            asked = request.Ref;
            return capture(request, writer, context);
        };
        agent.Script.ListProcesses = request => new ListProcessesResponse { Processes = { SyntheticCapture.NewProcess(name: request.Name).Summary } };

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "worker", "-o", agent.File("x.core"));

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(new ProcessRef { Pid = 4242, StartTimeTicks = 777 }, asked);
    }

    [Fact]
    public async Task Options_reach_the_agent()
    {
        await using ScriptedAgent agent = await StartAsync();
        CaptureOptions? asked = null;
        Func<CaptureRequest, IServerStreamWriter<CaptureResponse>, ServerCallContext, Task> capture = agent.Script.Capture;
        agent.Script.Capture = (request, writer, context) =>
        {
            asked = request.Options;
            return capture(request, writer, context);
        };

        await CliRun.AgainstAsync(
            agent, "snapshot", "4242", "-o", agent.File("x.core"), "--strategy", "direct", "--content", "stacks",
            "--max-pause", "1.5s", "--pause-copy-limit", "64MiB", "--compression", "lz4", "--rate-limit", "200MiB/s", "--quiesce");

        Assert.Equal((Strategy.Direct, Content.Stacks, Compression.Lz4), (asked!.Strategy, asked.Content, asked.Compression));
        Assert.Equal((TimeSpan.FromSeconds(1.5), 64UL << 20), (asked.StopBudget.ToTimeSpan(), asked.PauseCopyLimitBytes));
        Assert.Equal((200UL << 20, true, false), (asked.RateLimitBytesPerSecond, asked.Quiesce, asked.SinkCannotSeek));

        await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", "-", "--stop-budget", "20ms");

        Assert.Equal(TimeSpan.FromMilliseconds(20), asked.StopBudget.ToTimeSpan()); // its former name
        Assert.Equal((Strategy.Unspecified, 0UL, false, true), (asked.Strategy, asked.RateLimitBytesPerSecond, asked.Quiesce, asked.SinkCannotSeek));
    }

    [Fact]
    public async Task An_interrupted_snapshot_leaves_nothing_and_ends_with_130()
    {
        await using ScriptedAgent agent = await StartAsync();
        using CancellationTokenSource interrupt = new();
        agent.Script.Capture = async (_, writer, context) =>
        {
            await writer.WriteAsync(SyntheticCapture.WithMemory().Messages()[0]);
            await interrupt.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        };

        CliRun run = await CliRun.RunAsync(
            ["snapshot", "4242", "-o", agent.File("x.core"), "--agent", agent.Address], isTerminal: false, interrupt.Token);

        Assert.Equal(130, run.ExitCode);
        Assert.Empty(agent.FilesLeft());
    }

    [Fact]
    public async Task Names_from_targets_cannot_move_the_cursor_or_leave_the_folder()
    {
        await using ScriptedAgent agent = await StartAsync();
        SyntheticCapture capture = SyntheticCapture.WithMemory();
        capture.Started.Process.Summary.Name = "\x1b]0;owned\a";
        capture.Started.Process.Executable = "/bin/a'b\x1b[2J";
        agent.Script.CaptureWith(capture.Messages());

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"));

        Assert.DoesNotContain("\x1b", run.Output + run.Errors, StringComparison.Ordinal);
        Assert.Contains(@"\x1b]0;owned\x07", run.Output, StringComparison.Ordinal);
        Assert.Equal("core._.._.._etc_x.7", Input.CoreNames.Default(SyntheticCapture.NewProcess(7, "/../../etc/x")));
        Assert.Equal("core._____b.7", Input.CoreNames.Default(SyntheticCapture.NewProcess(7, "\x1b $\n/b")));
    }

    private static async Task<ScriptedAgent> StartAsync()
    {
        ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        return agent;
    }
}
