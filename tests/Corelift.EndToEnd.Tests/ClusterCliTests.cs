using System.Text.Json;
using Corelift.Testing.Cluster;

namespace Corelift.EndToEnd.Tests;

/// <summary>
/// The command line with a kubeconfig alone, from outside the cluster: it finds the pod, its node's agent and the process. The API
/// server is a small one, whose port-forward really leads to a real agent with TLS, tokens and rights.
/// </summary>
public sealed class ClusterCliTests : IAsyncLifetime
{
    private const string Caller = "system:serviceaccount:shop:oncall";

    private readonly string _id = ClusterContainer.NewId();
    private ClusterStandIn _cluster = null!;
    private TlsAgent _agent = null!;
    private TestCgroup _container = null!;
    private LiveProcess _target = null!;

    private ScratchFolder Scratch { get; } = new();

    private string Core => Scratch.File("app.core");

    public async Task InitializeAsync()
    {
        _cluster = await ClusterStandIn.StartAsync();
        _agent = await TlsAgent.StartForAsync("corelift.corelift.svc", _cluster.AgentArguments);
        _cluster.Pods.Put(ClusterPod.OfAgent("corelift-x7k2p", _agent.Port));
        _cluster.Forwards["corelift/corelift-x7k2p"] = _agent.Port;
        _cluster.Pods.Put(new ClusterPod("shop", "web-1", new ClusterContainer("app", _id)));
        _container = TestCgroup.OfContainer(_id);
        _target = LiveProcess.Start("canary", "--mib", "8");
        _container.Take(_target.Pid);
    }

    public async Task DisposeAsync()
    {
        await _target.CheckAsync();
        _target.Dispose();
        _container.Dispose();
        _agent.Agent.AssertCleanLog();
        await _agent.DisposeAsync();
        await _cluster.DisposeAsync();
        Scratch.Dispose();
    }

    [Theory]
    [InlineData("forward")]
    [InlineData("direct")]
    public async Task A_snapshot_of_a_pod_needs_a_kubeconfig_and_a_service_account(string way)
    {
        Allow("inspect", "stop", "snapshot");

        CommandResult taken = await RunAsync("snapshot", "pod/web-1/app", "-o", Core, "--content", "stacks", "--json", "--via", way);

        Assert.Equal((0, ""), (taken.ExitCode, taken.Errors));
        JsonElement record = JsonDocument.Parse((await Cli.RunAsync((string?)null, "verify", Core, "--json")).Checked().Output).RootElement.GetProperty("record");
        Assert.Equal("web-1", record.GetProperty("pod").GetProperty("name").GetString());
        Assert.Equal(way == "forward", _cluster.Count("/portforward?ports=") > 0);
    }

    [Fact]
    public async Task The_whole_memory_comes_through_a_port_forward_as_it_was()
    {
        Allow("inspect", "stop", "snapshot");
        (await RunAsync("snapshot", "pod/web-1", "-o", Core)).Checked();

        using CoreImage core = new(Core);
        core.AssertHolds(_target.Range("private"));
        (await Cli.RunAsync((string?)null, "verify", Core)).Checked();
    }

    [Theory]
    [InlineData("snapshot", "pod/web-1", "-o", "x")]
    [InlineData("inspect", "pod/web-1")]
    [InlineData("plan", "pod/web-1")]
    [InlineData("stop", "pod/web-1")]
    public async Task Without_the_right_nothing_of_the_pod_is_shown(params string[] arguments)
    {
        CommandResult refused = await RunAsync([.. arguments]);

        Assert.Equal((5, ""), (refused.ExitCode, refused.Output));
        Assert.Contains("verb inspect on processes.corelift.dev", refused.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_inspect_alone_gets_no_core_and_no_stop()
    {
        Allow("inspect");
        (await RunAsync("inspect", "pod/web-1")).Checked();
        CommandResult snapshot = await RunAsync("snapshot", "pod/web-1", "-o", Core), stop = await RunAsync("stop", "pod/web-1");

        Assert.Equal((4, 4), (snapshot.ExitCode, stop.ExitCode));
        Assert.False(File.Exists(Core));
    }

    [Fact]
    public async Task A_lease_is_ended_with_the_options_that_stop_printed()
    {
        Allow("inspect", "stop");
        JsonElement stopped = JsonDocument.Parse((await RunAsync("stop", "pod/web-1", "--ttl", "20s", "--json")).Checked().Output).RootElement;
        Assert.StartsWith("t", _target.Status("State"), StringComparison.Ordinal);
        Assert.Equal("--agent node/node-1", stopped.GetProperty("agent_options").GetString());

        (await RunAsync("resume", stopped.GetProperty("lease").GetString()!, "--agent", "node/node-1")).Checked();

        await Wait.UntilAsync(() => !_target.Status("State").StartsWith('t'), Wait.Soon, "the target runs");
    }

    [Fact]
    public async Task The_agent_beside_a_pods_containers_is_called_with_a_certificate_and_not_that_of_the_node()
    {
        string id = ClusterContainer.NewId(), cert = Scratch.File("client.crt"), key = Scratch.File("client.key");
        await using TlsAgent beside = await TlsAgent.StartForAsync("web-2.shop", "--allow-authenticated");
        beside.Ca.IssueClient("CN=oncall").WriteTo(cert, key);
        ClusterContainer[] containers = [new("app", id), new("corelift", ClusterContainer.NewId()) { Port = beside.Port }];
        _cluster.Pods.Put(new ClusterPod("shop", "web-2", containers) { Node = "node-2" });
        _cluster.Forwards["shop/web-2"] = beside.Port;
        using TestCgroup container = TestCgroup.OfContainer(id);
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "8");
        container.Take(target.Pid);
        string[] options = ["--ca", beside.ClientCaFile, "--cert", cert, "--key", key, "--server-name", "web-2.shop", "--kubeconfig", _cluster.WriteKubeconfig()];

        (await Cli.RunAsync((string?)null, ["snapshot", "pod/web-2", "-o", Core, .. options])).Checked();
        JsonElement stopped = JsonDocument.Parse((await Cli.RunAsync((string?)null, ["stop", "pod/web-2", "--json", .. options])).Checked().Output).RootElement;
        string[] same = stopped.GetProperty("agent_options").GetString()!.Split(' ');
        (await Cli.RunAsync((string?)null, ["resume", stopped.GetProperty("lease").GetString()!, .. same, .. options])).Checked();

        JsonElement list = JsonDocument.Parse((await Cli.RunAsync((string?)null, ["ps", "-n", "shop", "--pod", "web-2", "--json", .. options])).Checked().Output).RootElement;
        JsonElement only = Assert.Single(list.GetProperty("processes").EnumerateArray());

        Assert.Equal(["--agent", "pod/web-2", "-n", "shop"], same);
        Assert.Equal((target.Pid, "node-2"), (only.GetProperty("pid").GetInt32(), only.GetProperty("node").GetString()));
        Assert.Equal(("web-2", "app"), (only.GetProperty("pod").GetProperty("name").GetString(), only.GetProperty("pod").GetProperty("container").GetString()));
        Assert.Equal(0, _cluster.Count("corelift-x7k2p/portforward"));
        using CoreImage core = new(Core);
        core.AssertHolds(target.Range("private"));
        await target.CheckAsync();
        beside.Agent.AssertCleanLog();
    }

    [Fact]
    public async Task A_list_of_a_namespace_is_of_all_nodes_and_one_that_is_not_reached_is_named()
    {
        Allow("inspect");
        CommandResult whole = await RunAsync("ps", "-n", "shop");
        Assert.Equal((0, ""), (whole.ExitCode, whole.Errors));
        Assert.Matches($@"(?m)^NODE +PID .*\n^node-1 +{_target.Pid} .* web-1 +app ", whole.Output);

        _cluster.Pods.Put(new ClusterPod("shop", "web-2", new ClusterContainer("app", ClusterContainer.NewId())) { Node = "node-2" });
        _cluster.Pods.Put(new ClusterPod("shop", "web-3", new ClusterContainer("app", ClusterContainer.NewId())) { Node = "node-3" });
        _cluster.Pods.Put(ClusterPod.OfAgent("corelift-broken", 7443, "node-2"));
        _cluster.Forwards["corelift/corelift-broken"] = 1; // nobody listens there
        CommandResult part = await RunAsync("ps", "-n", "shop", "--json");

        Assert.Equal(3, part.ExitCode);
        JsonElement root = JsonDocument.Parse(part.Output).RootElement;
        JsonElement only = Assert.Single(root.GetProperty("processes").EnumerateArray());
        Assert.Equal((_target.Pid, "node-1"), (only.GetProperty("pid").GetInt32(), only.GetProperty("node").GetString()));
        Assert.Equal(["node-2", "node-3"], root.GetProperty("problems").EnumerateArray().Select(problem => problem.GetProperty("node").GetString()!));
        Assert.Matches("node node-2: .*connection refused", part.Errors);
        Assert.Matches("node node-3: there is no agent on node node-3", part.Errors);
    }

    [Fact]
    public async Task Who_may_not_port_forward_is_told_which_verbs_to_ask_for()
    {
        Allow("inspect");
        _cluster.Set("/portforward", Trouble.Forbidden);

        CommandResult refused = await RunAsync("inspect", "pod/web-1");

        Assert.Equal((4, ""), (refused.ExitCode, refused.Output));
        Assert.Contains("verbs get and create on pods/portforward", refused.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_is_sent_to_nobody_with_another_certificate()
    {
        Allow("inspect");
        using TestCa other = new("Other CA");
        string otherCa = Scratch.File("other.crt");
        await File.WriteAllTextAsync(otherCa, other.Pem);
        int reviews = _cluster.Count("tokenreviews");

        CommandResult wrongCa = await RunAsync("inspect", "pod/web-1", "--ca", otherCa);
        CommandResult wrongName = await RunAsync("inspect", "pod/web-1", "--server-name", "corelift.evil.svc");

        Assert.Equal((3, 3), (wrongCa.ExitCode, wrongName.ExitCode));
        Assert.Contains("is from none of the CAs in", wrongCa.Errors, StringComparison.Ordinal);
        Assert.Contains("not for 'corelift.evil.svc'", wrongName.Errors, StringComparison.Ordinal);
        Assert.Equal(reviews, _cluster.Count("tokenreviews"));
    }

    [Fact]
    public async Task A_token_for_another_audience_is_refused_by_the_agent()
    {
        Allow("inspect", "stop", "snapshot");

        CommandResult refused = await RunAsync("inspect", "pod/web-1", "--token-audience", "somebody-else");

        Assert.Equal((4, ""), (refused.ExitCode, refused.Output));
        Assert.Contains("token", refused.Errors, StringComparison.Ordinal);
    }

    private void Allow(params string[] verbs) => Array.ForEach(verbs, verb => _cluster.Rights.Add(new ClusterRight(Caller, verb, "processes", "shop")));

    private Task<CommandResult> RunAsync(params string[] arguments)
    {
        string[] options = arguments.Contains("--ca") ? [] : ["--ca", _agent.ClientCaFile];
        return Cli.RunAsync((string?)null, [.. arguments, .. options, "--kubeconfig", _cluster.WriteKubeconfig(), "--service-account", "oncall"]);
    }
}
