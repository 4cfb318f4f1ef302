using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Who may do what, with callers that the kernel vouches for.</summary>
public sealed class AccessTests : PolicyTest
{
    private const uint Owner = 1000, Nobody = 1001, Reader = 1002, Holder = 1003;

    protected override string Policy => PolicyOf(
        ", \"secrets\": { \"vmaNames\": [\"*[heap]*\"] }",
        RootMayAll,
        """{ "name": "own", "who": [{ "uid": 1000 }], "verbs": ["inspect", "stop", "snapshot"], "content": "default", "targets": [{ "uid": 1000 }] }""",
        """{ "name": "readers", "who": [{ "uid": 1002 }], "verbs": ["inspect", "snapshot", "stop"], "content": "full", "targets": "all" }""",
        """{ "name": "holders", "who": [{ "uid": 1003 }], "verbs": ["stop"], "targets": "all" }""");

    [Fact]
    public async Task Every_call_is_denied_to_an_identity_without_a_right()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel root = ConnectAs(0), other = ConnectAs(Nobody);
        StopResponse lease = await new ControlService.ControlServiceClient(root).StopAsync(
            new StopRequest { Ref = Ref(target), TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(20)) });
        ProcessService.ProcessServiceClient processes = new(other);
        ControlService.ControlServiceClient control = new(other);
        SnapshotService.SnapshotServiceClient snapshots = new(other);
        (string Reason, Func<Task> Call) Denied(Func<Task> call) => ("ACCESS_DENIED", call);
        (string Reason, Func<Task> Call) Stolen(Func<Task> call) => ("LEASE_NOT_FOUND", call);
        Dictionary<string, (string Reason, Func<Task> Call)> calls = new()
        {
            ["GetProcess"] = Denied(async () => await processes.GetProcessAsync(new GetProcessRequest { Ref = Ref(target) })),
            ["ListThreads"] = Denied(async () => await processes.ListThreadsAsync(new ListThreadsRequest { Ref = Ref(target) })),
            ["ListVmas"] = Denied(async () => await processes.ListVmasAsync(new ListVmasRequest { Ref = Ref(target) })),
            ["Stop"] = Denied(async () => await control.StopAsync(new StopRequest { Ref = Ref(target) })),
            ["KeepAlive"] = Stolen(async () => await control.KeepAliveAsync(new KeepAliveRequest { LeaseId = lease.LeaseId })),
            ["Resume"] = Stolen(async () => await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId })),
            ["GetRegisters"] = Stolen(() => ReadAllAsync(control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId }))),
            ["ReadMemory"] = Stolen(() => ReadAllAsync(control.ReadMemory(new ReadMemoryRequest { LeaseId = lease.LeaseId, Ranges = { new AddressRange { End = 4096 } } }))),
            ["Plan"] = Denied(async () => await snapshots.PlanAsync(new PlanRequest { Ref = Ref(target) })),
            ["Capture"] = Denied(() => CaptureAsync(other, target)),
        };
        string[] methods = [.. new[] { ProcessService.Descriptor, ControlService.Descriptor, SnapshotService.Descriptor }.SelectMany(service => service.Methods).Select(method => method.Name)];
        Assert.Equal(methods.Order(), calls.Keys.Append("ListProcesses").Order()); // a new call needs a row here
        foreach ((string name, (string reason, Func<Task> call)) in calls)
        {
            Assert.Equal(reason, await RpcAssert.FailsAsync(call, reason == "ACCESS_DENIED" ? StatusCode.PermissionDenied : StatusCode.NotFound));
        }

        await RpcAssert.FailsWithReasonAsync(
            () => ReadAllAsync(snapshots.Capture(new CaptureRequest { LeaseId = lease.LeaseId })), StatusCode.NotFound, "LEASE_NOT_FOUND");
        Assert.Empty((await processes.ListProcessesAsync(new ListProcessesRequest())).Processes);
        Assert.StartsWith("t", target.Status("State"), StringComparison.Ordinal); // the lease is untouched
        await new ControlService.ControlServiceClient(root).ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await target.CheckAsync();
        Assert.Contains(Audit(), record => record.GetProperty("event").GetString() == "denied" && record.GetProperty("caller").GetProperty("name").GetString() == "uid:1001");
    }

    [Fact]
    public async Task The_right_identity_gets_its_targets_and_contents_and_no_others()
    {
        using LiveProcess own = LiveProcess.Start(new LaunchOptions { Uid = Owner }, "canary"), other = LiveProcess.Start(new LaunchOptions { Uid = Reader }, "canary");
        using GrpcChannel channel = ConnectAs(Owner);
        foreach (Strategy strategy in (Strategy[])[Strategy.Direct, Strategy.Fork, Strategy.Precopy])
        {
            CaptureStream stream = await CaptureAsync(channel, own, Content.Default, strategy);
            Assert.Equal(strategy, stream.Instant.Strategy);
            await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(channel, other, Content.Stacks, strategy), StatusCode.PermissionDenied, "ACCESS_DENIED");
        }

        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(channel, own, Content.Full), StatusCode.PermissionDenied, "ACCESS_DENIED");
        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(channel, own, secrets: true), StatusCode.PermissionDenied, "ACCESS_DENIED");
        ListProcessesResponse list = await new ProcessService.ProcessServiceClient(channel).ListProcessesAsync(new ListProcessesRequest());
        Assert.Contains(list.Processes, process => process.Ref.Pid == own.Pid);
        Assert.DoesNotContain(list.Processes, process => process.Ref.Pid == other.Pid);
        Assert.Equal("0", other.Status("TracerPid"));
        await own.CheckAsync();
        await other.CheckAsync();
    }

    [Theory, MemberData(nameof(Strategies))]
    public async Task Secret_memory_is_a_hole_unless_the_right_is_held_and_it_is_asked_for(string strategy)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "2", "--dontdump-mib", "2");
        using GrpcChannel root = ConnectAs(0), reader = ConnectAs(Reader);
        Strategy asked = System.Enum.Parse<Strategy>(strategy, ignoreCase: true);
        AddressSpan secret = target.Range("dontdump");
        Region[] Regions(CaptureStream stream) =>
            [.. stream.Vmas.SelectMany(vma => vma.Regions).Where(region => region.Range.Start < secret.End && region.Range.End > secret.Start)];

        Assert.All(Regions(await CaptureAsync(reader, target, Content.Full, asked)), region => Assert.Equal(HoleReason.Secret, region.HoleReason));
        Assert.All(Regions(await CaptureAsync(reader, target, Content.Default, asked)), region => Assert.Equal(HoleReason.DontDump, region.HoleReason));
        Assert.All(Regions(await CaptureAsync(root, target, Content.Full, asked)), region => Assert.Equal(HoleReason.Secret, region.HoleReason));
        Assert.All(Regions(await CaptureAsync(root, target, Content.Full, asked, secrets: true)), region => Assert.Equal(HoleReason.Unspecified, region.HoleReason));
        CaptureStream named = await CaptureAsync(root, target, Content.Default, asked);
        Assert.All(named.Vmas.Where(vma => vma.Vma.Name == "[heap]").SelectMany(vma => vma.Regions), region => Assert.Equal(HoleReason.Secret, region.HoleReason));
        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(reader, target, secrets: true), StatusCode.PermissionDenied, "ACCESS_DENIED");
        await target.CheckAsync();
    }

    [Fact]
    public async Task Secret_memory_of_a_stopped_target_is_read_by_those_alone_who_have_the_right()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "2", "--dontdump-mib", "1");
        AddressSpan secret = target.Range("dontdump");
        foreach (uint uid in (uint[])[0, Reader])
        {
            using GrpcChannel channel = ConnectAs(uid);
            ControlService.ControlServiceClient control = new(channel);
            StopResponse lease = await control.StopAsync(new StopRequest { Ref = Ref(target) });
            ReadMemoryRequest read = new() { LeaseId = lease.LeaseId, Ranges = { new AddressRange { Start = secret.Start - 4096, End = secret.End + 4096 } } };
            using AsyncServerStreamingCall<ReadMemoryResponse> call = control.ReadMemory(read);
            List<ReadMemoryResponse> parts = await call.ResponseStream.ReadAllAsync().ToListAsync();
            bool isRead = parts.Any(part => part.Chunk is { } chunk && chunk.Address < secret.End && chunk.Address + chunk.LengthBytes > secret.Start);
            Assert.Equal(uid == 0, isRead);
            Assert.Equal(uid != 0, parts.Any(part => part.Hole is { Reason: HoleReason.Secret } hole && hole.Range.Start == secret.Start && hole.Range.End >= secret.End));
            await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        }

        await target.CheckAsync();
    }

    [Fact]
    public async Task A_process_that_is_not_dumpable_needs_the_right_to_secrets()
    {
        using LiveProcess target = LiveProcess.Start(new LaunchOptions { Uid = Owner }, "nondumpable");
        using GrpcChannel reader = ConnectAs(Reader), root = ConnectAs(0);
        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(reader, target, Content.Stacks), StatusCode.PermissionDenied, "ACCESS_DENIED");
        await RpcAssert.FailsWithReasonAsync(
            async () => await new ControlService.ControlServiceClient(reader).StopAsync(new StopRequest { Ref = Ref(target) }), StatusCode.PermissionDenied, "ACCESS_DENIED");
        await CaptureAsync(root, target, Content.Stacks);
    }

    [Fact]
    public async Task The_right_to_stop_gives_registers_and_no_memory()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel holder = ConnectAs(Holder);
        ControlService.ControlServiceClient control = new(holder);
        StopResponse lease = await control.StopAsync(new StopRequest { Ref = Ref(target) });
        await ReadAllAsync(control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId }));
        await RpcAssert.FailsWithReasonAsync(
            () => ReadAllAsync(control.ReadMemory(new ReadMemoryRequest { LeaseId = lease.LeaseId, Ranges = { new AddressRange { End = 4096 } } })),
            StatusCode.PermissionDenied,
            "ACCESS_DENIED");
        await RpcAssert.FailsWithReasonAsync(
            () => ReadAllAsync(new SnapshotService.SnapshotServiceClient(holder).Capture(new CaptureRequest { LeaseId = lease.LeaseId })),
            StatusCode.PermissionDenied,
            "ACCESS_DENIED");
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
    }
}
