using Corelift.Agent.Access;
using Corelift.Agent.Access.Policy;
using Corelift.Agent.Services;
using Corelift.Capture;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace Corelift.Agent.Tests.Access;

public sealed class AccessGateTests
{
    private static readonly Caller s_caller = new(CallerKind.Certificate, "cert:CN=a");

    [Fact]
    public async Task Without_a_source_nothing_is_allowed() =>
        Assert.Equal("ACCESS_DENIED", await RefusalAsync(Gate([]), AccessVerb.Inspect));

    [Fact]
    public async Task One_source_that_allows_is_enough_even_beside_one_that_is_down()
    {
        await Gate([Source.Down, Source.Yes]).RequireAsync(s_caller, AccessVerb.Stop, null, false, Target(), CancellationToken.None);
        Assert.Equal("ACCESS_UNAVAILABLE", await RefusalAsync(Gate([Source.No, Source.Down]), AccessVerb.Stop));
        Assert.Equal("ACCESS_DENIED", await RefusalAsync(Gate([Source.No]), AccessVerb.Stop));
    }

    [Fact]
    public async Task Without_a_policy_only_those_let_in_by_the_socket_may_anything()
    {
        AccessGate gate = Gate([new HostRights()]);
        Assert.True(gate.AllowsAll(new Caller(CallerKind.UnixPeer, "uid:0")));
        foreach (CallerKind kind in (CallerKind[])[CallerKind.Certificate, CallerKind.ServiceAccount, CallerKind.Token])
        {
            Assert.False(await gate.AllowsAsync(new Caller(kind, "x"), AccessVerb.Inspect, null, Target(), CancellationToken.None));
        }
    }

    [Fact]
    public async Task Secrets_and_processes_that_are_not_dumpable_need_a_right_of_their_own()
    {
        AccessGate gate = Gate([new Source(verb => verb is AccessVerb.Snapshot or AccessVerb.Stop)]);
        await gate.RequireAsync(s_caller, AccessVerb.Snapshot, CaptureContent.Full, false, Target(), CancellationToken.None);
        Assert.Equal("ACCESS_DENIED", await RefusalAsync(gate, AccessVerb.Snapshot, secrets: true));
        Assert.Equal("ACCESS_DENIED", await RefusalAsync(gate, AccessVerb.Snapshot, Target() with { IsDumpable = false }));
        Assert.Equal("ACCESS_DENIED", await RefusalAsync(gate, AccessVerb.Stop, Target() with { IsDumpable = false }));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_pod_that_opted_out_can_be_looked_at_and_not_stopped(bool byLabel)
    {
        var marks = new Dictionary<string, string> { ["corelift.dev/snapshot"] = "never" };
        PodIdentity pod = new() { Namespace = "a", Name = "b", Uid = "c", Container = "d" };
        TargetIdentity target = Target() with { Pod = byLabel ? pod with { Labels = marks } : pod with { Annotations = marks } };
        AccessGate gate = Gate([Source.Yes]);
        await gate.RequireAsync(s_caller, AccessVerb.Inspect, null, false, target, CancellationToken.None);
        Assert.Equal("OPTED_OUT", await RefusalAsync(gate, AccessVerb.Stop, target));
        Assert.Equal("OPTED_OUT", await RefusalAsync(gate, AccessVerb.Snapshot, target));
    }

    [Fact]
    public async Task A_container_whose_pod_is_not_known_yet_may_have_opted_out()
    {
        TargetIdentity target = Target() with { ContainerId = new string('a', 64), Cgroup = "/kubepods/x" };
        Assert.Equal("ACCESS_UNAVAILABLE", await RefusalAsync(Gate([Source.Yes], new EmptyDirectory()), AccessVerb.Stop, target));
        await Gate([Source.Yes]).RequireAsync(s_caller, AccessVerb.Stop, null, false, target, CancellationToken.None); // outside Kubernetes
    }

    private static AccessGate Gate(IRightsSource[] sources, IPodDirectory? pods = null) =>
        new(sources, new TargetIdentityReader(pods ?? new NoPodDirectory()), new NoPolicy(), NullLogger<AccessGate>.Instance);

    private static TargetIdentity Target() => PolicyDecisionTests.Target(1000);

    private static async Task<string> RefusalAsync(AccessGate gate, AccessVerb verb, TargetIdentity? target = null, bool secrets = false)
    {
        RpcException failure = await Assert.ThrowsAsync<RpcException>(
            () => gate.RequireAsync(s_caller, verb, verb == AccessVerb.Snapshot ? CaptureContent.Default : null, secrets, target ?? Target(), CancellationToken.None));
        return RpcErrors.ReasonOf(failure);
    }

    private sealed class Source(Func<AccessVerb, bool> allows) : IRightsSource
    {
        internal static Source Yes { get; } = new(_ => true);

        internal static Source No { get; } = new(_ => false);

        internal static Source Down { get; } = new(_ => throw new AccessUnavailableException("it is down"));

        public ValueTask<bool> AllowsAsync(
            Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target, CancellationToken cancellationToken) =>
            ValueTask.FromResult(allows(verb));
    }

    private sealed class EmptyDirectory : IPodDirectory
    {
        public ValueTask<PodIdentity?> FindAsync(string containerId, CancellationToken cancellationToken) => ValueTask.FromResult<PodIdentity?>(null);
    }
}
