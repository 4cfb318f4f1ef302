using System.Collections.Concurrent;
using System.Text.Json;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>What was done to whom stands in the audit log, also when the agent was killed in the middle of it.</summary>
public sealed class AuditTests : PolicyTest
{
    private const int Kills = 12;

    protected override string Policy => PolicyOf(string.Empty, RootMayAll);

    [Fact]
    public async Task Each_stop_capture_and_read_has_a_record_before_and_one_after()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "2");
        using GrpcChannel root = ConnectAs(0);
        ControlService.ControlServiceClient control = new(root);
        CaptureStream stream = await CaptureAsync(root, target, Content.Full, Strategy.Fork, reason: "one");
        StopResponse lease = await control.StopAsync(new StopRequest { Ref = Ref(target), Reason = "two" });
        await ReadAllAsync(control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId }));
        await ReadAllAsync(control.ReadMemory(new ReadMemoryRequest { LeaseId = lease.LeaseId, Ranges = { new AddressRange { Start = target.Range("private").Start, End = target.Range("private").Start + 5000 } } }));
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
        await Wait.UntilAsync(() => Audit().Count(record => Event(record) == "end") == 4, Wait.Soon, "four ends");

        JsonElement[] records = Audit();
        Assert.Equal(["capture", "stop", "read-registers", "read-memory"], records.Where(record => Event(record) == "begin").Select(record => record.GetProperty("action").GetString()!));
        Assert.Equal(["one", "two", "two", "two"], records.Where(record => Event(record) == "begin").Select(record => record.GetProperty("reason").GetString()!));
        JsonElement begin = records.First(record => Event(record) == "begin");
        Assert.Equal(target.Pid, begin.GetProperty("target").GetProperty("pid").GetInt32());
        Assert.Equal(Proc.Executable(target.Pid), begin.GetProperty("target").GetProperty("executable").GetString());
        JsonElement end = records.Single(record => Event(record) == "end" && record.GetProperty("operation").GetString() == begin.GetProperty("operation").GetString());
        Assert.Equal("ok", end.GetProperty("outcome").GetString());
        Assert.Equal((long)stream.Trailer!.MemoryBytes, end.GetProperty("bytes").GetInt64());
        Assert.True(end.GetProperty("stoppedMicroseconds").GetInt64() > 0);
        Assert.Equal("fork", end.GetProperty("strategy").GetString());
        Assert.Equal(0, await Agent.StopAsync());
        Assert.Equal("stop", Event(Audit()[^1]));
        (await Cli.RunAsync((string?)null, "audit", "verify", AuditPath)).Checked();
    }

    [Fact]
    public async Task Whom_a_snapshot_is_sealed_to_is_recorded()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel root = ConnectAs(0);
        string recipient = (await Cli.RunAsync((string?)null, "keygen", "-o", Scratch.File("key.txt"))).Checked().Errors.TrimEnd().Split(' ', '\n').Single(text => text.StartsWith("age1", StringComparison.Ordinal));
        CaptureRequest request = CaptureStream.Request(target, Strategy.Direct, Content.Stacks);
        request.Options.Recipients.Add(recipient);

        _ = await CaptureStream.ReadSealedAsync(root, request);
        await CaptureAsync(root, target, Content.Stacks);

        JsonElement[] begins = [.. Audit().Where(record => Event(record) == "begin")];
        Assert.Equal([recipient], begins[0].GetProperty("recipients").EnumerateArray().Select(each => each.GetString()!));
        Assert.False(begins[1].TryGetProperty("recipients", out _));
    }

    [Fact]
    public async Task A_log_that_cannot_be_written_stops_the_work_unless_the_policy_says_otherwise()
    {
        ExpectedErrors = "audit record not written";
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel root = ConnectAs(0);
        string policy = PolicyOf(""", "audit": { "required": true, "fileBytes": "64KiB" }""", RootMayAll);
        File.WriteAllText(PolicyPath, policy);
        await Wait.UntilAsync(() => Agent.Log.Contains(" holds, with ", StringComparison.Ordinal), Wait.Soon, "a policy that was taken");

        // In the way of the name that the full file is to get: rotation, and with it the record, fails.
        Directory.CreateDirectory($"{AuditPath}.000000000001/x");
        while (new FileInfo(AuditPath).Length < 64 << 10)
        {
            await CaptureAsync(root, target, Content.Stacks, reason: new string('x', 1000));
        }

        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(root, target, Content.Stacks), StatusCode.Unavailable, "AUDIT_UNAVAILABLE");
        Assert.Equal("0", target.Status("TracerPid"));
        int before = Agent.Log.Split(" holds, with ").Length;
        File.WriteAllText(PolicyPath, policy.Replace("true, \"fileBytes\"", "false, \"fileBytes\"", StringComparison.Ordinal));
        await Wait.UntilAsync(() => Agent.Log.Split(" holds, with ").Length > before, Wait.Soon, "a policy that was taken");
        await CaptureAsync(root, target, Content.Stacks);
        Directory.Delete($"{AuditPath}.000000000001", recursive: true);
        await CaptureAsync(root, target, Content.Stacks);
        string[] files = [.. Directory.GetFiles(Scratch.Path, "audit.jsonl*")];
        (await Cli.RunAsync((string?)null, ["audit", "verify", .. files])).Checked();
    }

    [Fact]
    public async Task After_a_kill_at_any_moment_each_access_has_its_first_record_and_the_next_start_closes_it()
    {
        using LiveProcess one = LiveProcess.Start("canary", "--mib", "8"), two = LiveProcess.Start("canary", "--mib", "1");
        ConcurrentBag<string> seen = [];
        Random random = new(7);
        for (int i = 0; i < Kills; i++)
        {
            await using AgentProcess agent = await AgentProcess.StartAsync(Options with { Arguments = ["--policy", PolicyPath, "--audit-log", Scratch.File("killed.jsonl")] });
            using GrpcChannel channel = agent.Connect();
            Task[] clients = [LoadAsync(channel, one, $"{i}-a", seen, stops: false), LoadAsync(channel, two, $"{i}-b", seen, stops: true)];
            await Task.Delay(random.Next(1500));
            await agent.KillAsync();
            await Task.WhenAll(clients);
        }

        await using (AgentProcess last = await AgentProcess.StartAsync(Options with { Arguments = ["--policy", PolicyPath, "--audit-log", Scratch.File("killed.jsonl")] }))
        {
            Assert.Equal(0, await last.StopAsync());
        }

        JsonElement[] records = [.. File.ReadAllLines(Scratch.File("killed.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        HashSet<string> reasons = [.. records.Where(record => Event(record) == "begin").Select(record => record.GetProperty("reason").GetString()!)];
        Assert.NotEmpty(seen);
        Assert.All(seen, reason => Assert.Contains(reason, reasons));
        Assert.Equal(
            records.Where(record => Event(record) == "begin").Select(record => record.GetProperty("operation").GetString()).Order(),
            records.Where(record => Event(record) == "end").Select(record => record.GetProperty("operation").GetString()).Order());
        Assert.Contains(records, record => Event(record) == "end" && record.GetProperty("outcome").GetString() == "interrupted");
        (await Cli.RunAsync((string?)null, "audit", "verify", Scratch.File("killed.jsonl"))).Checked();
        await Wait.UntilAsync(() => one.Status("TracerPid") == "0" && two.Status("TracerPid") == "0", Wait.Soon, "nobody held");
    }

    private static string Event(JsonElement record) => record.GetProperty("event").GetString()!;

    /// <summary>Captures or stops until the agent is gone; notes the reason of each access of which anything was seen.</summary>
    private static async Task LoadAsync(GrpcChannel channel, LiveProcess target, string name, ConcurrentBag<string> seen, bool stops)
    {
        try
        {
            for (int i = 0; ; i++)
            {
                string reason = $"{name}-{i}";
                if (stops)
                {
                    ControlService.ControlServiceClient control = new(channel);
                    StopResponse lease = await control.StopAsync(new StopRequest { Ref = Ref(target), Reason = reason });
                    seen.Add(reason);
                    await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId });
                    continue;
                }

                CaptureRequest request = CaptureStream.Request(target, Strategy.Unspecified, Content.Full);
                request.Reason = reason;
                using AsyncServerStreamingCall<CaptureResponse> call = new SnapshotService.SnapshotServiceClient(channel).Capture(request);
                await foreach (CaptureResponse message in call.ResponseStream.ReadAllAsync())
                {
                    _ = message;
                    seen.Add(reason);
                }
            }
        }
        catch (RpcException failure) when (failure.StatusCode is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Cancelled or StatusCode.AlreadyExists or StatusCode.FailedPrecondition)
        {
            return;
        }
    }
}
