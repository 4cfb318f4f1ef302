using Corelift.Client.Tests.Scripted;
using Corelift.V1;

namespace Corelift.Cli.Tests.Cluster;

/// <summary>Which process of a pod is meant, where an agent is named that knows the pods of its node.</summary>
public sealed class ProcessChoiceTests : IAsyncLifetime
{
    private readonly List<ListProcessesRequest> _asked = [];
    private ProcessSummary[] _processes = [];
    private ScriptedAgent _agent = null!;

    public async Task InitializeAsync()
    {
        _agent = await ScriptedAgent.StartAsync();
        _agent.Script.ListProcesses = request =>
        {
            _asked.Add(request);
            return new ListProcessesResponse { Processes = { _processes } };
        };
        _agent.Script.GetProcess = request => new GetProcessResponse { Process = new Process { Summary = _processes.Single(process => process.Ref.Pid == request.Ref.Pid) } };
    }

    public async Task DisposeAsync() => await _agent.DisposeAsync();

    [Fact]
    public async Task It_is_the_first_that_was_started_whatever_its_pid_and_the_others_are_told_of()
    {
        _processes = [NewProcess(10, 900, "worker"), NewProcess(400, 100, "postgres"), NewProcess(500, 950, "probe")];

        CliRun run = await RunAsync("pod/db-0");

        Assert.Equal((0, "corelift: took postgres (pid 400), of 3 processes of the container\n"), (run.ExitCode, run.Errors));
        Assert.Equal(400, run.Json.GetProperty("pid").GetInt32());
        Assert.Equal(new ListProcessesRequest { Namespace = "shop", Pod = "db-0" }, Assert.Single(_asked));
    }

    [Fact]
    public async Task Of_an_init_and_one_other_it_is_the_other_and_zombies_do_not_count()
    {
        _processes = [NewProcess(10, 100, "tini"), NewProcess(11, 101, "java"), NewProcess(12, 102, "sh", state: "Z")];

        Assert.Equal(11, (await RunAsync("pod/db-0/app")).Json.GetProperty("pid").GetInt32());
        Assert.Equal("app", Assert.Single(_asked).Container);
    }

    [Fact]
    public async Task Behind_an_init_with_several_the_user_has_to_say()
    {
        _processes = [NewProcess(10, 100, "sh"), NewProcess(11, 101, "java"), NewProcess(12, 102, "tail")];

        CliRun run = await RunAsync("pod/db-0");

        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.Contains("       11  /bin/java\n", run.Errors, StringComparison.Ordinal);
        Assert.Contains("say which: pod/db-0/app/PID", run.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pod/db-0/app/77", 77u, "")]
    [InlineData("pod/db-0/app/java", 0u, "java")]
    public async Task A_pid_or_a_name_within_the_container_is_asked_for(string target, uint pid, string name)
    {
        _processes = [NewProcess(77, 100, "java")];

        Assert.Equal(77, (await RunAsync(target)).Json.GetProperty("pid").GetInt32());
        ListProcessesRequest asked = Assert.Single(_asked);
        Assert.Equal((pid, name, "app"), (asked.Pids.SingleOrDefault(), asked.Name, asked.Container));
    }

    [Fact]
    public async Task Several_containers_have_to_be_told_apart_and_the_agents_own_are_not_meant()
    {
        _processes = [NewProcess(10, 100, "nginx", "proxy"), NewProcess(11, 101, "java"), NewProcess(12, 102, "corelift-agent", "corelift")];
        CliRun run = await RunAsync("pod/db-0");
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("pod/db-0/CONTAINER (proxy, app)", run.Errors, StringComparison.Ordinal);

        _processes = [.. _processes.Skip(1)];
        Assert.Equal(11, (await RunAsync("pod/db-0")).Json.GetProperty("pid").GetInt32());
    }

    [Fact]
    public async Task Without_a_process_the_right_to_see_it_is_named()
    {
        CliRun run = await RunAsync("pod/db-0");

        Assert.Equal(5, run.ExitCode);
        Assert.Contains("or you may not inspect it (verb inspect on processes.corelift.dev", run.Errors, StringComparison.Ordinal);
        Assert.Equal(5, (await RunAsync("pod/db-0/app/java")).ExitCode);
    }

    [Fact]
    public async Task An_agent_that_is_named_has_to_be_told_the_namespace()
    {
        CliRun run = await CliRun.AgainstAsync(_agent, "inspect", "pod/db-0");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("say in which namespace pod/db-0 is, with -n", run.Errors, StringComparison.Ordinal);
    }

    private static ProcessSummary NewProcess(uint pid, ulong started, string name, string container = "app", string state = "S") => new()
    {
        Ref = new ProcessRef { Pid = pid, StartTimeTicks = started },
        Name = name,
        State = state,
        CommandLine = { $"/bin/{name}" },
        Pod = new PodContainer { Namespace = "shop", Pod = "db-0", Container = container },
    };

    private Task<CliRun> RunAsync(string target) => CliRun.AgainstAsync(_agent, "inspect", target, "-n", "shop", "--json");
}
