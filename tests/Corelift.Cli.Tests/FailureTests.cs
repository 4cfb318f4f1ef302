using Corelift.Client.Tests.Scripted;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RpcStatus = Google.Rpc.Status;

namespace Corelift.Cli.Tests;

/// <summary>What goes wrong, what is said, and what the program ends with.</summary>
public sealed class FailureTests
{
    [Theory]
    [InlineData("ps")]
    [InlineData("inspect", "1")]
    [InlineData("plan", "1")]
    [InlineData("snapshot", "1")]
    [InlineData("stop", "1")]
    [InlineData("resume", "x")]
    [InlineData("threads", "1")]
    [InlineData("read", "--lease", "x", "0x1000", "16")]
    public async Task Without_an_agent_every_command_says_so_and_ends_with_3(params string[] arguments)
    {
        CliRun run = await CliRun.AloneAsync([.. arguments, "--agent", "unix:/tmp/corelift-nobody/agent.sock"]);

        Assert.Equal((3, ""), (run.ExitCode, run.Output));
        Assert.StartsWith(
            "corelift: no agent answers at unix:/tmp/corelift-nobody/agent.sock: is corelift-agent running?", run.Errors, StringComparison.Ordinal);
        Assert.Single(run.Errors.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData("'everything' is none of default, full, stacks", "snapshot", "1", "--content", "everything")]
    [InlineData("'magic' is none of auto, fork, precopy, direct", "plan", "1", "--strategy", "magic")]
    [InlineData("'gzip' is none of none, lz4, zstd", "snapshot", "1", "--compression", "gzip")]
    [InlineData("'soon' is no duration", "snapshot", "1", "--max-pause", "soon")]
    [InlineData("'soon' is no duration", "snapshot", "1", "--stop-budget", "soon")]
    [InlineData("'fast' is no size", "snapshot", "1", "--rate-limit", "fast")]
    [InlineData("nothing at all would be read", "snapshot", "1", "--rate-limit", "0")]
    [InlineData("'5' is no duration", "stop", "1", "--ttl", "5")]
    [InlineData("'-1s' is no duration", "stop", "1", "--ttl=-1s")]
    [InlineData("'lots' is no size", "snapshot", "1", "--pause-copy-limit", "lots")]
    [InlineData("'here' is no address", "read", "--lease", "x", "here", "16")]
    [InlineData("the length is 0", "read", "--lease", "x", "0x1000", "0")]
    [InlineData("goes beyond the last address", "read", "--lease", "x", "0xffffffffffffff00", "4KiB")]
    [InlineData("'--lease' is required", "read", "0x1000", "16")]
    [InlineData("'nowhere' is no address of an agent", "ps", "--agent", "nowhere")]
    [InlineData("0 is no process id", "inspect", "0")]
    [InlineData("99999999999 is no process id", "inspect", "99999999999")]
    [InlineData("which process", "snapshot")]
    [InlineData("takes the place of the process", "snapshot", "1", "--lease", "x")]
    [InlineData("either which process, or which lease", "threads")]
    [InlineData("no completion for 'csh'", "completion", "csh")]
    [InlineData("there is no command 'frobnicate'\nTry 'corelift --help'", "frobnicate")]
    [InlineData("there is no command 'frobnicate'\nTry 'corelift --help'", "help", "frobnicate")]
    [InlineData("there is no command 'frobnicate'\nTry 'corelift --help'", "frobnicate", "--help")]
    [InlineData("there is no command 'snpshot'; did you mean 'snapshot'?\nTry", "snpshot", "1")]
    [InlineData("'corelift ps' has no option '--frobnicate'\nTry 'corelift ps --help'", "ps", "--frobnicate")]
    [InlineData("has no option '--stratgy'; did you mean '--strategy'?\nTry", "snapshot", "1", "--stratgy", "fork")]
    [InlineData("has no option '--agnet'; did you mean '--agent'?\nTry", "ps", "--agnet", "unix:/a.sock")]
    [InlineData("'corelift plan' takes no further argument 'now'\nTry", "plan", "1", "now")]
    public async Task Wrong_usage_is_explained_and_ends_with_2(string says, params string[] arguments)
    {
        CliRun run = await CliRun.AloneAsync(arguments);

        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.Contains(says, run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_word_the_help_is_printed_as_an_error()
    {
        CliRun nothing = await CliRun.AloneAsync(), help = await CliRun.AloneAsync("--help");

        Assert.Equal((2, "", help.Output), (nothing.ExitCode, nothing.Output, nothing.Errors));
    }

    [Fact]
    public async Task The_environment_names_the_agent_and_the_option_wins()
    {
        CliRun fromEnvironment = await CliRun.RunAsync(["ps"], false, default, name => name == "CORELIFT_AGENT" ? "unix:/tmp/corelift-a.sock" : null);
        CliRun fromOption = await CliRun.RunAsync(["ps", "--agent", "unix:/tmp/corelift-b.sock"], false, default, name => name == "CORELIFT_AGENT" ? "unix:/tmp/corelift-a.sock" : null);
        CliRun bad = await CliRun.RunAsync(["ps"], false, default, name => name == "CORELIFT_AGENT" ? "nowhere" : null);

        Assert.Contains("corelift-a.sock", fromEnvironment.Errors, StringComparison.Ordinal);
        Assert.Contains("corelift-b.sock", fromOption.Errors, StringComparison.Ordinal);
        Assert.Contains("CORELIFT_AGENT: 'nowhere'", bad.Errors, StringComparison.Ordinal);
        Assert.Equal(2, bad.ExitCode);
    }

    [Theory]
    [InlineData(StatusCode.PermissionDenied, "", 4)]
    [InlineData(StatusCode.FailedPrecondition, "TARGET_TRACED", 4)]
    [InlineData(StatusCode.AlreadyExists, "TARGET_BUSY", 4)]
    [InlineData(StatusCode.DeadlineExceeded, "STOP_BUDGET", 4)]
    [InlineData(StatusCode.Unimplemented, "", 4)]
    [InlineData(StatusCode.NotFound, "", 5)]
    [InlineData(StatusCode.Aborted, "IDENTITY_CHANGED", 5)]
    [InlineData(StatusCode.InvalidArgument, "", 2)]
    [InlineData(StatusCode.Internal, "", 1)]
    public async Task Each_kind_of_refusal_has_its_exit_code(StatusCode status, string reason, int exitCode)
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Capture = (_, _, _) => throw new RpcStatus
        {
            Code = (int)status,
            Message = "because\x1b[2J",
            Details = { Any.Pack(new ErrorInfo { Reason = reason }) },
        }.ToRpcException();

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"));

        Assert.Equal((exitCode, ""), (run.ExitCode, run.Output));
        Assert.Equal("corelift: because\\x1b[2J", run.Errors.TrimEnd());
        Assert.Empty(agent.FilesLeft());
    }

    [Fact]
    public async Task A_broken_transfer_ends_with_6_and_leaves_nothing()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Capture = async (_, writer, context) =>
        {
            await writer.WriteAsync(SyntheticCapture.WithMemory().Messages()[0]);
            ScriptedAgent.Cut(context);
        };

        CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"));

        Assert.Equal(6, run.ExitCode);
        Assert.Contains("broke off", run.Errors, StringComparison.Ordinal);
        Assert.Empty(agent.FilesLeft());
    }

    [Fact]
    public async Task Outputs_that_cannot_be_written_are_named_and_end_with_1()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        await File.WriteAllTextAsync(agent.File("mine"), "mine");

        foreach ((string path, string says) in new[]
        {
            (agent.File("nowhere/x.core"), "no such directory"),
            (agent.File("mine"), "exists already"),
            (agent.Folder, "is a directory"),
            ("/dev/full", "no space left"),
        })
        {
            CliRun run = await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", path);
            Assert.Equal((1, ""), (run.ExitCode, run.Output));
            Assert.Contains(path, run.Errors, StringComparison.Ordinal);
            Assert.Contains(says, run.Errors, StringComparison.Ordinal);
        }

        Assert.Equal(["mine"], agent.FilesLeft());
    }

    [Fact]
    public async Task A_name_that_several_processes_have_lists_them()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.ListProcesses = _ => new ListProcessesResponse
        {
            Processes = { SyntheticCapture.NewProcess(7).Summary, SyntheticCapture.NewProcess(8).Summary },
        };

        CliRun run = await CliRun.AgainstAsync(agent, "inspect", "worker");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("2 processes are named 'worker'", run.Errors, StringComparison.Ordinal);
        Assert.Contains("      7  /usr/bin/worker --all", run.Errors, StringComparison.Ordinal);
        Assert.Contains("      8  /usr/bin/worker --all", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_no_process_has_ends_with_5()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.ListProcesses = _ => new ListProcessesResponse();

        CliRun run = await CliRun.AgainstAsync(agent, "plan", "nobody");

        Assert.Equal(5, run.ExitCode);
        Assert.Contains("no process is named 'nobody'", run.Errors, StringComparison.Ordinal);
    }
}
