using System.Text.Json;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Limits, reasons, and a policy that changes while calls go on.</summary>
public sealed class PolicyInForceTests : PolicyTest
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    protected override string Policy => PolicyOf(string.Empty, RootMayAll);

    [Fact]
    public async Task Limits_are_refused_with_the_time_to_wait()
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "4");
        using GrpcChannel root = ConnectAs(0);
        await SetPolicyAsync(PolicyOf(""", "limits": { "perTarget": { "coolDown": "30s" } }""", RootMayAll));
        await CaptureAsync(root, target);
        TimeSpan wait = await QuotaAsync(() => CaptureAsync(root, target));
        Assert.InRange(wait, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(30));

        await SetPolicyAsync(PolicyOf(""", "limits": { "perIdentity": { "bytesPerHour": "1MiB" } }""", RootMayAll));
        using LiveProcess small = LiveProcess.Start("canary", "--mib", "1");
        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(root, target, Content.Full), StatusCode.ResourceExhausted, "QUOTA_EXCEEDED");

        await SetPolicyAsync(PolicyOf(""", "limits": { "perIdentity": { "stoppedPerMinute": "300ms" } }""", RootMayAll));
        ControlService.ControlServiceClient control = new(root);
        StopResponse lease = await control.StopAsync(new StopRequest { Ref = Ref(small), TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(20)) });
        Assert.InRange(lease.TimeToLive.ToTimeSpan(), TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(300)); // and so it cannot be held longer
        await Wait.UntilAsync(
            () => Audit().Count(record => record.GetProperty("event").GetString() == "end") == Audit().Count(record => record.GetProperty("event").GetString() == "begin"),
            s_patience,
            "the end of the lease");
        Assert.Equal("0", small.Status("TracerPid"));
        await RpcAssert.FailsWithReasonAsync(async () => await control.StopAsync(new StopRequest { Ref = Ref(small) }), StatusCode.ResourceExhausted, "QUOTA_EXCEEDED");
        await small.CheckAsync();
    }

    [Fact]
    public async Task A_reason_can_be_made_mandatory_and_the_cli_gives_it()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel root = ConnectAs(0);
        await SetPolicyAsync(PolicyOf(""", "reason": { "required": true }""", RootMayAll));
        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(root, target), StatusCode.FailedPrecondition, "REASON_REQUIRED");
        await RpcAssert.FailsWithReasonAsync(
            async () => await new ControlService.ControlServiceClient(root).StopAsync(new StopRequest { Ref = Ref(target) }), StatusCode.FailedPrecondition, "REASON_REQUIRED");
        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(root, target, reason: "a\nb"), StatusCode.InvalidArgument, "INVALID_FIELD");
        CommandResult without = await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath);
        Assert.Equal(4, without.ExitCode);
        Assert.Contains("--reason", without.Errors, StringComparison.Ordinal);
        (await Cli.RunAsync(Agent, "snapshot", $"{target.Pid}", "-o", CorePath, "--reason", "INC-42: it hangs")).Checked();
        Assert.Contains(Audit(), record => record.TryGetProperty("reason", out var reason) && reason.GetString() == "INC-42: it hangs");
    }

    [Fact]
    public async Task A_policy_is_reloaded_under_load_and_a_broken_one_is_not_taken()
    {
        ExpectedErrors = "policy .* is wrong and was not taken";
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel root = ConnectAs(0);
        using CancellationTokenSource stop = new();
        Task<int> load = Task.Run(async () =>
        {
            int captures = 0;
            for (; !stop.IsCancellationRequested; captures++)
            {
                await CaptureAsync(root, target, Content.Stacks);
            }

            return captures;
        });
        for (int i = 0; i < 4; i++)
        {
            File.WriteAllText(PolicyPath, PolicyOf($$""", "secrets": { "vmaNames": ["[{{i}}]"] }""", RootMayAll));
            await Wait.UntilAsync(() => Agent.Log.Split(" holds, with 1 rules").Length > i + 1, s_patience, "a policy that was taken");
            File.WriteAllText(PolicyPath, "{ \"version\": 1,\n \"rulez\": [] }");
            await Wait.UntilAsync(() => Agent.Log.Split("did you mean 'rules'").Length > i + 1, s_patience, "a policy that was refused");
        }

        await stop.CancelAsync();
        Assert.True(await load > 0, "captures went on through all of it");

        File.WriteAllText(PolicyPath, PolicyOf(string.Empty));
        await Wait.UntilAsync(() => Agent.Log.Contains("holds, with 0 rules", StringComparison.Ordinal), s_patience, "a policy without rules");
        await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(root, target), StatusCode.PermissionDenied, "ACCESS_DENIED");
    }

    [Fact]
    public async Task A_lease_is_not_extended_once_its_right_is_gone()
    {
        using LiveProcess target = LiveProcess.Start("canary");
        using GrpcChannel root = ConnectAs(0);
        ControlService.ControlServiceClient control = new(root);
        StopResponse lease = await control.StopAsync(new StopRequest { Ref = Ref(target), TimeToLive = Duration.FromTimeSpan(TimeSpan.FromSeconds(20)) });
        File.WriteAllText(PolicyPath, PolicyOf(string.Empty));
        await Wait.UntilAsync(() => Agent.Log.Contains("holds, with 0 rules", StringComparison.Ordinal), s_patience, "a policy without rules");
        await RpcAssert.FailsWithReasonAsync(
            async () => await control.KeepAliveAsync(new KeepAliveRequest { LeaseId = lease.LeaseId }), StatusCode.PermissionDenied, "ACCESS_DENIED");
        await RpcAssert.FailsWithReasonAsync(
            () => ReadAllAsync(control.GetRegisters(new GetRegistersRequest { LeaseId = lease.LeaseId })), StatusCode.PermissionDenied, "ACCESS_DENIED");
        await control.ResumeAsync(new ResumeRequest { LeaseId = lease.LeaseId }); // that is always allowed
        await target.CheckAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_capture_under_way_ends_when_its_right_is_gone_and_goes_on_where_it_is_not(bool isKept)
    {
        using LiveProcess target = LiveProcess.Start("canary", "--mib", "96");
        using GrpcChannel root = ConnectAs(0);
        using AsyncServerStreamingCall<CaptureResponse> call =
            new SnapshotService.SnapshotServiceClient(root).Capture(CaptureStream.Request(target, Strategy.Fork));
        do
        {
            Assert.True(await call.ResponseStream.MoveNext());
        }
        while (call.ResponseStream.Current.PartCase != CaptureResponse.PartOneofCase.Memory);

        // Nothing is taken off the stream meanwhile: most of the memory is not sent yet.
        await SetPolicyAsync(isKept ? PolicyOf(""", "secrets": { "vmaNames": ["[another]"] }""", RootMayAll) : PolicyOf(string.Empty));
        if (isKept)
        {
            CaptureResponse.PartOneofCase last = default;
            await foreach (CaptureResponse message in call.ResponseStream.ReadAllAsync())
            {
                last = message.PartCase;
            }

            Assert.Equal(CaptureResponse.PartOneofCase.Trailer, last);
        }
        else
        {
            await RpcAssert.FailsWithReasonAsync(() => ReadAllAsync(call), StatusCode.PermissionDenied, "ACCESS_DENIED");
            await Wait.UntilAsync(
                () => Audit().Any(record => record.TryGetProperty("outcome", out JsonElement outcome) && outcome.GetString() == "ACCESS_DENIED"), s_patience, "the end in the audit log");
        }

        await target.CheckAsync();
    }

    [Fact]
    public async Task A_wrong_policy_file_keeps_an_agent_from_starting_and_says_the_line()
    {
        string path = Scratch.File("wrong.json");
        File.WriteAllText(path, "{\n \"version\": 1,\n \"rules\": [ { \"who\": [], \"verbs\": [\"all\"] } ]\n}");
        (int exitCode, string log) = await AgentProcess.RunToEndAsync(new AgentOptions { Uid = 0, Arguments = ["--policy", path] });
        Assert.Equal(78, exitCode);
        Assert.Contains("line 3: there is no verb \"all\"", log, StringComparison.Ordinal);
        CommandResult check = await Command.RunAsync(Artifacts.Agent, ["policy", "check", path]);
        Assert.Equal(78, check.ExitCode);
        Assert.Contains($"{path}:3: \"targets\" is missing", check.Errors, StringComparison.Ordinal);
        CommandResult explain = await Command.RunAsync(Artifacts.Agent, ["policy", "check", PolicyPath, "--as", "uid:5", "--verb", "stop", "--pid", $"{Environment.ProcessId}"]);
        Assert.Equal(1, explain.ExitCode);
        Assert.Contains("root: it is not for uid:5", explain.Output, StringComparison.Ordinal);
        explain = await Command.RunAsync(Artifacts.Agent, ["policy", "check", PolicyPath, "--as", "uid:0", "--target", "namespace=a,uid=3"]);
        Assert.Equal(0, explain.ExitCode);
        Assert.Contains("by root", explain.Output, StringComparison.Ordinal);
    }

    private static async Task<TimeSpan> QuotaAsync(Func<Task> call)
    {
        RpcException failure = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
        return failure.GetRpcStatus()!.GetDetail<RetryInfo>()!.RetryDelay.ToTimeSpan();
    }

    private async Task SetPolicyAsync(string policy)
    {
        int before = Agent.Log.Split(" holds, with ").Length;
        File.WriteAllText(PolicyPath, policy);
        await Wait.UntilAsync(() => Agent.Log.Split(" holds, with ").Length > before, s_patience, "a policy that was taken");
    }
}
