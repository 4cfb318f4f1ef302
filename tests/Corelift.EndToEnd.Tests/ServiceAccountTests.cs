using System.Diagnostics;
using Corelift.Testing.Cluster;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace Corelift.EndToEnd.Tests;

/// <summary>Tokens of service accounts over TLS, and what they may do to a process of a pod: by RBAC, by policy, and against a workload's will.</summary>
public sealed class ServiceAccountTests : IAsyncLifetime
{
    private const string Caller = "system:serviceaccount:shop:oncall";
    private const string Audience = "corelift-agent";

    private readonly string _id = ClusterContainer.NewId();
    private readonly ClusterPod _pod;
    private ClusterStandIn _cluster = null!;
    private TestCgroup _container = null!;
    private LiveProcess _target = null!;
    private TlsAgent? _agent;

    public ServiceAccountTests() => _pod = new ClusterPod("shop", "web-1", new ClusterContainer("app", _id));

    public async Task InitializeAsync()
    {
        _cluster = await ClusterStandIn.StartAsync();
        _cluster.Pods.Put(_pod);
        _container = TestCgroup.OfContainer(_id);
        _target = LiveProcess.Start("canary");
        _container.Take(_target.Pid);
    }

    public async Task DisposeAsync()
    {
        await _target.CheckAsync();
        _target.Dispose();
        _container.Dispose();
        if (_agent is not null)
        {
            _agent.Agent.AssertCleanLog();
            await _agent.DisposeAsync();
        }

        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task Rights_are_those_of_RBAC_in_the_pods_namespace_and_for_the_content_asked_for()
    {
        using GrpcChannel oncall = await ConnectAsync(Token("shop", "oncall"));
        await DeniedAsync(oncall, Content.Stacks);
        Allow("snapshot", "processes/stacks");
        await AllowedAsync(oncall, Content.Stacks);
        await DeniedAsync(oncall, Content.Full);
        Allow("snapshot", "processes/full", "elsewhere");
        await DeniedAsync(oncall, Content.Full);
        Allow("snapshot", "processes/full");
        await AllowedAsync(oncall, Content.Full);

        _cluster.Rights.Clear();
        await DeniedAsync(oncall, Content.Full); // never remembered

        using GrpcChannel other = _agent!.Connect(null, token: "Bearer " + Token("shop", "other"));
        Allow("snapshot", "processes");
        await DeniedAsync(other, Content.Default);
    }

    [Theory]
    [InlineData("another audience")]
    [InlineData("the API server's audience")]
    [InlineData("expired")]
    [InlineData("revoked")]
    [InlineData("changed")]
    [InlineData("none")]
    public async Task A_token_that_is_not_for_this_agent_or_no_longer_is_nobodys(string wrong)
    {
        Allow("inspect", "processes");
        string token = wrong switch
        {
            "another audience" => Token("shop", "oncall", "vault"),
            "the API server's audience" => Token("shop", "oncall", ClusterTokens.ApiAudience),
            "expired" => _cluster.Tokens.Issue("shop", "oncall", TimeSpan.FromSeconds(-5), Audience),
            "changed" => Token("shop", "oncall")[..^4] + "AAAA",
            _ => Token("shop", "oncall"),
        };
        if (wrong == "revoked")
        {
            _cluster.Tokens.Revoked.Add(token);
        }

        using GrpcChannel channel = await ConnectAsync(wrong == "none" ? null : token);
        RpcException failure = await Assert.ThrowsAsync<RpcException>(() => InspectAsync(channel));
        Assert.Equal(StatusCode.Unauthenticated, failure.StatusCode);
    }

    [Fact]
    public async Task A_policy_gives_a_service_account_what_RBAC_does_not_and_ends_where_its_rule_does()
    {
        string policy = _cluster.WriteFile("policy.json", """
            { "version": 1, "rules": [{ "name": "on call", "who": [{ "serviceAccount": "shop/oncall" }], "verbs": ["inspect", "snapshot"],
              "content": "registers-and-stacks", "targets": [{ "namespace": "shop", "container": "app" }] }] }
            """);
        using GrpcChannel oncall = await ConnectAsync(Token("shop", "oncall"), "--policy", policy);
        using GrpcChannel other = _agent!.Connect(null, token: "Bearer " + Token("shop", "other"));
        using LiveProcess outside = LiveProcess.Start("canary");

        await AllowedAsync(oncall, Content.Stacks);
        await DeniedAsync(oncall, Content.Default);
        await DeniedAsync(other, Content.Stacks);
        await RpcAssert.FailsWithReasonAsync(
            () => CaptureStream.ReadAsync(oncall, CaptureStream.Request(outside, Strategy.Direct, Content.Stacks)), StatusCode.PermissionDenied, "ACCESS_DENIED");
        await outside.CheckAsync();
    }

    [Fact]
    public async Task Without_the_API_server_nobody_is_let_in_by_a_token_and_soon_told_so()
    {
        Allow("inspect", "processes");
        using GrpcChannel channel = await ConnectAsync(Token("shop", "oncall"));
        _cluster.Set("tokenreviews", Trouble.Silent);

        var time = Stopwatch.StartNew();
        await RpcAssert.FailsAsync(() => InspectAsync(channel), StatusCode.Unavailable);
        Assert.InRange(time.Elapsed, TimeSpan.Zero, Wait.Soon);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_workload_that_opted_out_is_not_stopped_or_read_whoever_asks(bool byAnnotation)
    {
        Dictionary<string, string> mark = new() { ["corelift.dev/snapshot"] = "never" };
        _cluster.Pods.Put(byAnnotation ? _pod with { Annotations = mark } : _pod with { Labels = mark });
        foreach (string verb in (string[])["inspect", "stop", "snapshot", "snapshot-secrets"])
        {
            Allow(verb, "processes", "*");
            Allow(verb, "processes/full", "*");
        }

        using GrpcChannel oncall = await ConnectAsync(Token("shop", "oncall"));
        using GrpcChannel root = _agent!.Agent.Connect();
        StopRequest stop = new() { Ref = Ref };
        foreach (GrpcChannel channel in (GrpcChannel[])[oncall, root])
        {
            await InspectAsync(channel); // a look stops nobody
            await RpcAssert.FailsWithReasonAsync(() => CaptureAsync(channel, Content.Stacks), StatusCode.PermissionDenied, "OPTED_OUT");
            await RpcAssert.FailsWithReasonAsync(
                () => new ControlService.ControlServiceClient(channel).StopAsync(stop).ResponseAsync, StatusCode.PermissionDenied, "OPTED_OUT");
        }

        Assert.Equal("0", _target.Status("TracerPid"));
        _cluster.Pods.Put(_pod);
        await AllowedAsync(oncall, Content.Stacks); // the mark is gone for the agent, too
    }

    private ProcessRef Ref => new() { Pid = (uint)_target.Pid, StartTimeTicks = _target.StartTime };

    private void Allow(string verb, string resource, string space = "shop") => _cluster.Rights.Add(new ClusterRight(Caller, verb, resource, space));

    private string Token(string space, string account, string audience = Audience) => _cluster.Tokens.Issue(space, account, TimeSpan.FromMinutes(10), audience);

    /// <summary>Starts the agent, and connects without a certificate.</summary>
    private async Task<GrpcChannel> ConnectAsync(string? token, params string[] more)
    {
        _agent = await TlsAgent.StartAsync([.. _cluster.AgentArguments, .. more]);
        return _agent.Connect(null, token: token is null ? null : "Bearer " + token);
    }

    private Task<CaptureStream> CaptureAsync(GrpcChannel channel, Content content) =>
        CaptureStream.ReadAsync(channel, CaptureStream.Request(_target, Strategy.Direct, content));

    /// <summary>Takes a capture; a refusal is remembered for two seconds.</summary>
    private Task AllowedAsync(GrpcChannel channel, Content content) =>
        Wait.UntilAsync(() => TriesAsync(channel, content), TimeSpan.FromSeconds(20), () => $"a capture of content {content}");

    private Task DeniedAsync(GrpcChannel channel, Content content) =>
        RpcAssert.FailsWithReasonAsync(() => CaptureAsync(channel, content), StatusCode.PermissionDenied, "ACCESS_DENIED");

    private async Task InspectAsync(GrpcChannel channel) =>
        await new ProcessService.ProcessServiceClient(channel).GetProcessAsync(new GetProcessRequest { Ref = Ref });

    private async Task<bool> TriesAsync(GrpcChannel channel, Content content)
    {
        try
        {
            Assert.NotEmpty((await CaptureAsync(channel, content)).Threads);
            return true;
        }
        catch (RpcException failure) when (failure.StatusCode == StatusCode.PermissionDenied)
        {
            return false;
        }
    }
}
