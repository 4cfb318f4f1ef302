using Corelift.Client.Tests.Scripted;
using Corelift.V1;

namespace Corelift.Cli.Tests;

public sealed class CommandTests
{
    [Fact]
    public async Task Ps_prints_a_table_with_harmless_text()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        ListProcessesRequest? asked = null;
        agent.Script.ListProcesses = request =>
        {
            asked = request;
            Process evil = SyntheticCapture.NewProcess(8, "[red]\x1b[31m");
            evil.Summary.CommandLine.Add("a\nb\u202e");
            return new ListProcessesResponse { Processes = { SyntheticCapture.NewProcess(7).Summary, evil.Summary } };
        };

        CliRun run = await CliRun.AgainstAsync(agent, "ps", "--name", "x", "--uid", "3", "--container", "abcdef01", "--pid", "7", "--pid", "8");

        string[] lines = run.Output.TrimEnd().Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.Equal(["PID", "UID", "THREADS", "MEMORY", "S", "CONTAINER", "NAME", "COMMAND"], lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.EndsWith(@"[red]\x1b[31m  /usr/bin/worker --all a\x0ab\u202e", lines[2], StringComparison.Ordinal);
        Assert.Equal(("x", 3u, "abcdef01"), (asked!.Name, asked.Uid, asked.ContainerId));
        Assert.Equal([7u, 8u], asked.Pids);
    }

    [Fact]
    public async Task Ps_prints_json()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.ListProcesses = _ => new ListProcessesResponse { Processes = { SyntheticCapture.NewProcess(7).Summary } };

        CliRun run = await CliRun.AgainstAsync(agent, "ps", "--json");

        Assert.Equal(7, run.Json.GetProperty("processes")[0].GetProperty("pid").GetInt32());
        Assert.Equal("--all", run.Json.GetProperty("processes")[0].GetProperty("command_line")[1].GetString());
    }

    [Fact]
    public async Task Ps_of_a_namespace_shows_pods()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        ListProcessesRequest? asked = null;
        agent.Script.ListProcesses = request =>
        {
            asked = request;
            Process process = SyntheticCapture.NewProcess(7);
            process.Summary.Pod = new PodContainer { Namespace = "shop", Pod = "web-\x1b[2J", Container = "app", Node = "node-1", Labels = { ["a"] = "b" } };
            return new ListProcessesResponse { Processes = { process.Summary } };
        };

        CliRun run = await CliRun.AgainstAsync(agent, "ps", "-n", "shop", "--pod", "web-1", "--container", "app");

        Assert.Equal(("shop", "web-1", "app", ""), (asked!.Namespace, asked.Pod, asked.Container, asked.ContainerId));
        Assert.Equal(["PID", "UID", "THREADS", "MEMORY", "S", "POD", "CONTAINER", "NAME", "COMMAND"], run.Output.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(@"web-\x1b[2J  app", run.Output, StringComparison.Ordinal);
        run = await CliRun.AgainstAsync(agent, "ps", "-n", "shop", "--json");
        Assert.Equal("node-1", run.Json.GetProperty("processes")[0].GetProperty("pod").GetProperty("node").GetString());
        Assert.Equal("b", run.Json.GetProperty("processes")[0].GetProperty("pod").GetProperty("labels").GetProperty("a").GetString());
        Assert.Equal(2, (await CliRun.AgainstAsync(agent, "ps", "--pod", "web-1")).ExitCode);
    }

    [Fact]
    public async Task Inspect_describes_a_process()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.GetProcess = request =>
        {
            Process process = SyntheticCapture.NewProcess(request.Ref.Pid);
            process.Tracer = new Tracer { Pid = 99, Name = "gdb" };
            process.Namespaces["pid"] = 4026531836;
            return new GetProcessResponse { Process = process };
        };

        CliRun text = await CliRun.AgainstAsync(agent, "inspect", "7");
        CliRun json = await CliRun.AgainstAsync(agent, "inspect", "7", "--json");

        Assert.Contains("traced by     gdb (pid 99)", text.Output, StringComparison.Ordinal);
        Assert.Contains("/usr/bin/worker", text.Output, StringComparison.Ordinal);
        Assert.Equal(4026531836, json.Json.GetProperty("namespaces").GetProperty("pid").GetInt64());
        Assert.Equal("gdb", json.Json.GetProperty("tracer").GetProperty("name").GetString());
    }

    [Fact]
    public async Task Plan_says_strategy_pause_bytes_and_why()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Plan = _ => new PlanResponse { Process = SyntheticCapture.NewProcess(), Plan = new SyntheticCapture().Started.Plan };

        CliRun text = await CliRun.AgainstAsync(agent, "plan", "7");
        CliRun json = await CliRun.AgainstAsync(agent, "plan", "7", "--json");

        Assert.Contains("about 20.0 ms", text.Output, StringComparison.Ordinal);
        Assert.Contains("because: fork: the pause is shortest", text.Output, StringComparison.Ordinal);
        Assert.Contains("warning: a warning of the plan", text.Output, StringComparison.Ordinal);
        Assert.Equal(20_000, json.Json.GetProperty("estimated_pause_us").GetInt64());
    }

    [Fact]
    public async Task Threads_are_listed_while_they_run()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.ListThreads = _ => new ListThreadsResponse
        {
            Threads = { new V1.Thread { Tid = 7, Name = "main", State = "S", WaitChannel = "futex_wait", UserTimeUs = 1500 } },
        };

        CliRun text = await CliRun.AgainstAsync(agent, "threads", "7");
        CliRun json = await CliRun.AgainstAsync(agent, "threads", "7", "--json");

        Assert.Contains("futex_wait  main", text.Output, StringComparison.Ordinal);
        Assert.Equal(1500, json.Json.GetProperty("threads")[0].GetProperty("user_time_us").GetInt64());
    }

    [Fact]
    public async Task Verify_says_how_a_core_was_taken()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"));

        CliRun text = await CliRun.AloneAsync("verify", agent.File("x.core"));
        CliRun json = await CliRun.AloneAsync("verify", agent.File("x.core"), "--json");

        Assert.Equal(0, text.ExitCode);
        Assert.Contains("whole and sound", text.Output, StringComparison.Ordinal);
        Assert.Contains("21.4 ms (interrupt 400 µs)", text.Output, StringComparison.Ordinal);
        Assert.Contains("0x400000-0x402000  8.00 KiB  file: pages of the mapped file", text.Output, StringComparison.Ordinal);
        Assert.Contains("0x7ffc00000000-0x7ffc00001000  4.00 KiB  unreadable", text.Output, StringComparison.Ordinal);
        Assert.True(json.Json.GetProperty("sound").GetBoolean());
        Assert.Equal("fork", json.Json.GetProperty("record").GetProperty("strategy").GetString());
    }

    [Fact]
    public async Task Verify_fails_for_a_core_that_was_cut_and_for_what_is_none()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.CaptureWith(SyntheticCapture.WithMemory().Messages());
        await CliRun.AgainstAsync(agent, "snapshot", "4242", "-o", agent.File("x.core"));
        await using (FileStream core = File.OpenWrite(agent.File("x.core")))
        {
            core.SetLength(core.Length / 2);
        }

        await File.WriteAllTextAsync(agent.File("text"), "no core");

        Assert.Equal(1, (await CliRun.AloneAsync("verify", agent.File("x.core"))).ExitCode);
        Assert.Equal(1, (await CliRun.AloneAsync("verify", agent.File("text"))).ExitCode);
        Assert.Equal(1, (await CliRun.AloneAsync("verify", agent.File("none"))).ExitCode);
        Assert.Equal(2, (await CliRun.AloneAsync("verify", agent.Folder)).ExitCode);
    }

    [Fact]
    public async Task Version_works_with_and_without_an_agent()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();

        CliRun with = await CliRun.AgainstAsync(agent, "version", "--json");
        CliRun without = await CliRun.AloneAsync("version", "--agent", "unix:/tmp/corelift-nobody/agent.sock");

        Assert.True(with.Json.GetProperty("reachable").GetBoolean());
        Assert.Equal(0, without.ExitCode);
        Assert.Contains("no agent answers", without.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bash", "complete -o default -F _corelift corelift")]
    [InlineData("zsh", "compdef _corelift corelift")]
    [InlineData("fish", "complete -c corelift")]
    public async Task Completion_scripts_ask_the_program_itself(string shell, string line)
    {
        CliRun script = await CliRun.AloneAsync("completion", shell);
        CliRun commands = await CliRun.AloneAsync("[suggest:11]", "corelift sn");
        CliRun words = await CliRun.AloneAsync("[suggest:30]", "corelift snapshot 1 --content ");

        Assert.Contains(line, script.Output, StringComparison.Ordinal);
        Assert.Contains("snapshot", commands.Output, StringComparison.Ordinal);
        Assert.Equal(["default", "full", "stacks"], words.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task Help_of_every_command_has_examples_and_exit_codes()
    {
        foreach (string command in new[] { "", "ps", "inspect", "plan", "snapshot", "stop", "resume", "threads", "read", "verify", "version", "completion" })
        {
            CliRun run = await CliRun.AloneAsync(command.Length == 0 ? ["--help"] : [command, "--help"]);
            Assert.Equal((0, ""), (run.ExitCode, run.Errors));
            Assert.Contains("Examples:", run.Output, StringComparison.Ordinal);
            Assert.Contains($"corelift {command}", run.Output, StringComparison.Ordinal);
            Assert.Contains("130  interrupted", run.Output, StringComparison.Ordinal);
            CliRun asked = await CliRun.AloneAsync(command.Length == 0 ? ["help"] : ["help", command]);
            Assert.Equal(run.Output, asked.Output);
        }
    }
}
