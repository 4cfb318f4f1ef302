using System.Net.Sockets;
using Corelift.Client.Tests.Scripted;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RpcStatus = Google.Rpc.Status;

namespace Corelift.Client.Tests;

/// <summary>Calls other than captures: pages, leases, failures.</summary>
public sealed class CallTests
{
    private static readonly ProcessRef s_target = new() { Pid = 42 };

    [Fact]
    public async Task Processes_come_from_all_pages_and_filters_go_with_each()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        List<string> tokens = [];
        agent.Script.ListProcesses = request =>
        {
            Assert.Equal(("worker", 7u), (request.Name, request.Uid));
            tokens.Add(request.PageToken);
            int page = tokens.Count;
            return new ListProcessesResponse
            {
                Processes = { SyntheticCapture.NewProcess((uint)page).Summary },
                NextPageToken = page < 3 ? $"page {page}" : "",
            };
        };
        await using CoreliftClient client = agent.Connect();

        List<uint> pids = [];
        await foreach (ProcessSummary process in client.ListProcessesAsync(new ListProcessesRequest { Name = "worker", Uid = 7 }))
        {
            pids.Add(process.Ref.Pid);
        }

        Assert.Equal([1u, 2u, 3u], pids);
        Assert.Equal(["", "page 1", "page 2"], tokens);
    }

    [Fact]
    public async Task Pages_that_never_end_are_refused()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.ListThreads = _ => new ListThreadsResponse { NextPageToken = "again" };
        agent.Script.ListVmas = _ => new ListVmasResponse { NextPageToken = "again" };
        await using CoreliftClient client = agent.Connect();

        await Assert.ThrowsAsync<AgentException>(async () => await client.ListThreadsAsync(s_target).CountAsync());
        await Assert.ThrowsAsync<AgentException>(async () => await client.ListVmasAsync(s_target).CountAsync());
    }

    [Fact]
    public async Task Disposing_of_a_lease_resumes_the_target()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        List<string> resumed = Leases(agent.Script, TimeSpan.FromSeconds(5));
        await using CoreliftClient client = agent.Connect();

        await using (StopLease lease = await client.StopAsync(s_target))
        {
            Assert.Equal(("lease-1", 2u, TimeSpan.FromMilliseconds(1)), (lease.Id, lease.ThreadCount, lease.Skew));
        }

        Assert.Equal(["lease-1"], resumed);
    }

    [Fact]
    public async Task A_lease_that_was_resumed_or_abandoned_is_not_resumed_again()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        List<string> resumed = Leases(agent.Script, TimeSpan.FromSeconds(5));
        await using CoreliftClient client = agent.Connect();

        await using (StopLease lease = await client.StopAsync(s_target))
        {
            Assert.Equal(TimeSpan.FromSeconds(3), await lease.ResumeAsync());
        }

        await using (StopLease lease = await client.StopAsync(s_target))
        {
            lease.Abandon();
        }

        Assert.Equal(["lease-1"], resumed);
    }

    [Fact]
    public async Task A_held_lease_is_kept_alive_until_the_caller_lets_go()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        Leases(agent.Script, TimeSpan.FromMilliseconds(30));
        using CancellationTokenSource enough = new();
        int count = 0;
        agent.Script.KeepAlive = request =>
        {
            Assert.Equal("lease-1", request.LeaseId);
            if (++count == 5)
            {
                enough.Cancel();
            }

            return new KeepAliveResponse { TimeToLive = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(30)) };
        };
        await using CoreliftClient client = agent.Connect();
        await using StopLease lease = await client.StopAsync(s_target);

        await lease.HoldAsync(enough.Token).WaitAsync(TimeSpan.FromSeconds(20));

        Assert.InRange(count, 5, 6);
    }

    [Fact]
    public async Task A_lease_that_ran_out_ends_the_holding()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        Leases(agent.Script, TimeSpan.FromMilliseconds(30));
        agent.Script.KeepAlive = _ => throw new RpcException(new Grpc.Core.Status(StatusCode.NotFound, "the lease is over"));
        await using CoreliftClient client = agent.Connect();
        await using StopLease lease = await client.StopAsync(s_target);

        AgentException failure = await Assert.ThrowsAsync<AgentException>(() => lease.HoldAsync(CancellationToken.None));

        Assert.Equal(StatusCode.NotFound, failure.Status);
    }

    [Fact]
    public async Task Registers_and_memory_of_a_lease_are_streamed()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.GetRegisters = request =>
        {
            Assert.Equal([7u], request.Tids);
            return [new GetRegistersResponse { Threads = { SyntheticCapture.NewThread(7) } }, new GetRegistersResponse { Threads = { SyntheticCapture.NewThread(8) } }];
        };
        agent.Script.ReadMemory = request => request.Ranges.Select(range => new ReadMemoryResponse { Hole = new Hole { Range = range } });
        await using CoreliftClient client = agent.Connect();

        uint[] tids = await client.ReadRegistersAsync("lease-1", [7]).Select(thread => thread.Tid).ToArrayAsync();
        Assert.Equal([7u, 8u], tids);
        Assert.Equal(2, await client.ReadMemoryAsync("lease-1", [SyntheticCapture.Range(1, 1), SyntheticCapture.Range(5, 1)]).CountAsync());
    }

    [Fact]
    public async Task A_refusal_keeps_its_status_reason_facts_and_words()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Stop = _ => throw new RpcStatus
        {
            Code = (int)Code.FailedPrecondition,
            Message = "gdb (pid 99) traces it; detach gdb first",
            Details =
            {
                Any.Pack(new ErrorInfo { Reason = "TARGET_TRACED", Domain = "corelift", Metadata = { ["tracer_pid"] = "99" } }),
            },
        }.ToRpcException();
        await using CoreliftClient client = agent.Connect();

        AgentException failure = await Assert.ThrowsAsync<AgentException>(() => client.StopAsync(s_target));

        Assert.Equal((StatusCode.FailedPrecondition, "TARGET_TRACED"), (failure.Status, failure.Reason));
        Assert.Equal("gdb (pid 99) traces it; detach gdb first", failure.Message);
        Assert.Equal("99", failure.Facts["tracer_pid"]);
    }

    [Fact]
    public async Task Details_that_are_garbage_do_not_hide_the_failure()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Stop = _ => throw new RpcException(
            new Grpc.Core.Status(StatusCode.PermissionDenied, "no"), new Metadata { { "grpc-status-details-bin", new byte[] { 0xff, 0xff, 0xff } } });
        await using CoreliftClient client = agent.Connect();

        AgentException failure = await Assert.ThrowsAsync<AgentException>(() => client.StopAsync(s_target));

        Assert.Equal((StatusCode.PermissionDenied, "", "no"), (failure.Status, failure.Reason, failure.Message));
    }

    [Fact]
    public async Task Answers_that_lack_what_must_be_there_are_failures()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.GetProcess = _ => new GetProcessResponse();
        agent.Script.Plan = _ => new PlanResponse();
        agent.Script.Stop = _ => new StopResponse();
        await using CoreliftClient client = agent.Connect();

        await Assert.ThrowsAsync<AgentException>(() => client.GetProcessAsync(s_target));
        await Assert.ThrowsAsync<AgentException>(() => client.PlanAsync(new SnapshotRequest { Target = s_target }));
        await Assert.ThrowsAsync<AgentException>(() => client.StopAsync(s_target));
    }

    [Fact]
    public async Task Health_is_told()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        await using CoreliftClient client = agent.Connect();

        AgentHealth health = await client.CheckHealthAsync();

        Assert.Null(health.Version);
    }

    [Fact]
    public async Task An_agent_that_is_not_there_is_named_with_what_to_do()
    {
        await using CoreliftClient client = CoreliftClient.Connect(AgentAddress.Parse("unix:/tmp/corelift-nobody/agent.sock"));

        AgentUnreachableException failure = await Assert.ThrowsAsync<AgentUnreachableException>(() => client.GetProcessAsync(s_target));

        Assert.StartsWith("no agent answers at unix:/tmp/corelift-nobody/agent.sock: is corelift-agent running?", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_nobody_listens_to_is_told_apart()
    {
        string folder = Directory.CreateTempSubdirectory("corelift-").FullName;
        string path = Path.Combine(folder, "agent.sock");
        using Socket dead = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        dead.Bind(new UnixDomainSocketEndPoint(path));
        await using CoreliftClient client = CoreliftClient.Connect(AgentAddress.Parse(path));

        AgentUnreachableException failure = await Assert.ThrowsAsync<AgentUnreachableException>(() => client.GetProcessAsync(s_target));

        Assert.Contains("nobody listens", failure.Message, StringComparison.Ordinal);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_port_that_nobody_listens_to_is_unreachable()
    {
        await using CoreliftClient client = CoreliftClient.Connect(AgentAddress.Parse("http://127.0.0.1:1"));

        AgentUnreachableException failure = await Assert.ThrowsAsync<AgentUnreachableException>(() => client.GetProcessAsync(s_target));

        Assert.Contains("http://127.0.0.1:1", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_capture_is_the_agents_failure_and_leaves_nothing()
    {
        await using ScriptedAgent agent = await ScriptedAgent.StartAsync();
        agent.Script.Capture = (_, _, _) => throw new RpcException(new Grpc.Core.Status(StatusCode.NotFound, "no process 42"));
        await using CoreliftClient client = agent.Connect();

        AgentException failure = await Assert.ThrowsAsync<AgentException>(
            () => client.SnapshotAsync(new SnapshotRequest { Target = s_target }, SnapshotDestination.ToFile(agent.File("x.core"))));

        Assert.Equal((StatusCode.NotFound, "no process 42"), (failure.Status, failure.Message));
        Assert.Empty(agent.FilesLeft());
    }

    private static List<string> Leases(AgentScript script, TimeSpan timeToLive)
    {
        List<string> resumed = [];
        script.Stop = request => new StopResponse
        {
            LeaseId = "lease-1",
            Ref = request.Ref,
            TimeToLive = Duration.FromTimeSpan(timeToLive),
            MaxHold = Duration.FromTimeSpan(TimeSpan.FromSeconds(60)),
            ThreadCount = 2,
            Skew = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(1)),
        };
        script.Resume = request =>
        {
            resumed.Add(request.LeaseId);
            return new ResumeResponse { StoppedFor = Duration.FromTimeSpan(TimeSpan.FromSeconds(3)) };
        };
        return resumed;
    }
}
