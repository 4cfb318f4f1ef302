using System.Diagnostics;
using System.Text.Json;
using Corelift.Testing.Cluster;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>What an agent says of processes in pods: a real agent, real cgroups, a small API server.</summary>
public sealed class PodTests : IAsyncLifetime
{
    private readonly string _id = ClusterContainer.NewId();
    private ClusterStandIn _cluster = null!;
    private AgentProcess? _agent;

    private ScratchFolder Scratch { get; } = new();

    public async Task InitializeAsync() => _cluster = await ClusterStandIn.StartAsync();

    public async Task DisposeAsync()
    {
        if (_agent is not null)
        {
            _agent.AssertCleanLog();
            await _agent.DisposeAsync();
        }

        await _cluster.DisposeAsync();
        Scratch.Dispose();
    }

    [Fact]
    public async Task A_process_a_list_and_a_core_name_the_pod()
    {
        var pod = new ClusterPod("shop", "web-1", new ClusterContainer("app", _id));
        _cluster.Pods.Put(pod);
        using TestCgroup cgroup = TestCgroup.OfContainer(_id);
        using LiveProcess target = LiveProcess.Start("canary");
        using LiveProcess other = LiveProcess.Start("canary");
        cgroup.Take(target.Pid);
        _agent = await StartAgentAsync();

        CommandResult list = await Cli.RunAsync(_agent, "ps", "-n", "shop", "--json");
        JsonElement only = Assert.Single(JsonDocument.Parse(list.Output).RootElement.GetProperty("processes").EnumerateArray());
        Assert.Equal(target.Pid, only.GetProperty("pid").GetInt32());
        Assert.Equal(("web-1", pod.Uid, "app", "shop"), (Text(only, "name"), Text(only, "uid"), Text(only, "container"), Text(only, "namespace")));
        Assert.Equal("shop-5d9", Text(only, "owner_name"));

        await Cli.SnapshotAsync(_agent, target.Pid, Scratch.File("x.core"));
        CommandResult verified = await Cli.RunAsync(_agent, "verify", Scratch.File("x.core"), "--json");
        JsonElement record = JsonDocument.Parse(verified.Output).RootElement.GetProperty("record");
        Assert.Equal(("web-1", pod.Uid), (Text(record, "name"), Text(record, "uid")));
        Assert.StartsWith("registry.example/app@sha256:", Text(record, "image_digest"), StringComparison.Ordinal);
        await target.CheckAsync();

        await Cli.SnapshotAsync(_agent, other.Pid, Scratch.File("y.core"));
        verified = await Cli.RunAsync(_agent, "verify", Scratch.File("y.core"), "--json");
        Assert.False(JsonDocument.Parse(verified.Output).RootElement.GetProperty("record").TryGetProperty("pod", out _));

        static string Text(JsonElement of, string key) => of.GetProperty("pod").GetProperty(key).GetString()!;
    }

    [Fact]
    public async Task A_pod_that_was_made_anew_under_its_name_is_told_from_the_old_one()
    {
        var old = new ClusterPod("shop", "db-0", new ClusterContainer("db", _id));
        _cluster.Pods.Put(old);
        string id = ClusterContainer.NewId();
        using TestCgroup newCgroup = TestCgroup.OfContainer(id);
        using TestCgroup oldCgroup = TestCgroup.OfContainer(_id);
        using LiveProcess first = LiveProcess.Start("canary");
        using LiveProcess second = LiveProcess.Start("canary");
        oldCgroup.Take(first.Pid);
        _agent = await StartAgentAsync();
        using GrpcChannel channel = _agent.Connect();
        var processes = new ProcessService.ProcessServiceClient(channel);
        Assert.Equal(old.Uid, (await PodOfAsync(processes, first))!.PodUid);

        var made = new ClusterPod("shop", "db-0", new ClusterContainer("db", id));
        newCgroup.Take(second.Pid);
        _cluster.Pods.Put(made);

        // The one that still runs in the old container is in no pod that there is.
        await Wait.UntilAsync(async () => await PodOfAsync(processes, second) is { } pod && pod.PodUid == made.Uid, Wait.Soon, () => "the new pod");
        await Wait.UntilAsync(async () => await PodOfAsync(processes, first) is null, Wait.Soon, () => "the old pod gone");
    }

    [Fact]
    public async Task While_the_server_is_away_processes_are_listed_without_pods_and_a_list_by_pods_is_refused_in_time()
    {
        _cluster.Pods.Put(new ClusterPod("shop", "web-1", new ClusterContainer("app", _id)));
        await _cluster.DownAsync();
        using TestCgroup cgroup = TestCgroup.OfContainer(_id);
        using LiveProcess target = LiveProcess.Start("canary");
        cgroup.Take(target.Pid);
        _agent = await StartAgentAsync();
        using GrpcChannel channel = _agent.Connect();
        var processes = new ProcessService.ProcessServiceClient(channel);

        Assert.Null(await PodOfAsync(processes, target));
        var time = Stopwatch.StartNew();
        await RpcAssert.FailsWithReasonAsync(
            () => processes.ListProcessesAsync(new ListProcessesRequest { Namespace = "shop" }).ResponseAsync, StatusCode.Unavailable, "KUBERNETES_UNAVAILABLE");
        Assert.InRange(time.Elapsed, TimeSpan.Zero, Wait.Soon);
        await _cluster.UpAsync();
        await Wait.UntilAsync(async () => (await PodOfAsync(processes, target))?.Pod == "web-1", TimeSpan.FromSeconds(20), () => "the pod known");
    }

    [Fact]
    public async Task Filters_that_cannot_be_are_refused_and_an_agent_without_kubernetes_says_so()
    {
        _agent = await StartAgentAsync();
        using (GrpcChannel channel = _agent.Connect())
        {
            var processes = new ProcessService.ProcessServiceClient(channel);
            foreach (ListProcessesRequest wrong in (ListProcessesRequest[])
                [
                    new() { Pod = "web-1" },
                    new() { Namespace = "shop", Container = "app" },
                    new() { Namespace = new string('n', 64) },
                    new() { Namespace = "shop", Pod = new string('p', 254) },
                    new() { Namespace = "shop", Pod = "web-1", Container = new string('c', 64) },
                ])
            {
                await RpcAssert.FailsWithReasonAsync(() => processes.ListProcessesAsync(wrong).ResponseAsync, StatusCode.InvalidArgument, "INVALID_FIELD");
            }

            Assert.Empty((await processes.ListProcessesAsync(new ListProcessesRequest { Namespace = "no-such" })).Processes);
        }

        await using AgentProcess plain = await AgentProcess.StartAsync();
        using GrpcChannel other = plain.Connect();
        await RpcAssert.FailsWithReasonAsync(
            () => new ProcessService.ProcessServiceClient(other).ListProcessesAsync(new ListProcessesRequest { Namespace = "shop" }).ResponseAsync,
            StatusCode.FailedPrecondition, "KUBERNETES_OFF");
    }

    private static async Task<PodContainer?> PodOfAsync(ProcessService.ProcessServiceClient processes, LiveProcess target) =>
        (await processes.GetProcessAsync(new GetProcessRequest { Ref = new ProcessRef { Pid = (uint)target.Pid } })).Process.Summary.Pod;

    private Task<AgentProcess> StartAgentAsync() => AgentProcess.StartAsync(new AgentOptions { Arguments = _cluster.AgentArguments });
}
