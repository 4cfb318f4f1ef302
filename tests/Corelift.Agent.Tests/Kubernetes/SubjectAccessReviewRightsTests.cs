using System.Diagnostics;
using Corelift.Agent.Access;
using Corelift.Agent.Kubernetes;
using Corelift.Capture;
using Corelift.Linux;
using Corelift.Testing;
using Corelift.Testing.Cluster;

namespace Corelift.Agent.Tests.Kubernetes;

/// <summary>What RBAC gives, and what it does not.</summary>
public sealed class SubjectAccessReviewRightsTests : KubernetesTest
{
    private const string User = "system:serviceaccount:shop:robot";
    private readonly ManualClock _clock = new();
    private readonly Caller _caller = new(CallerKind.ServiceAccount, User) { GroupNames = ["g"], Claims = new Dictionary<string, IReadOnlyList<string>> { ["uid"] = ["u-1"], ["example/x"] = ["y"] } };
    private SubjectAccessReviewRights _rights = null!;

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        _rights = new SubjectAccessReviewRights(NewClient(), Keep(new ApiQuestions()), _clock);
    }

    [Fact]
    public async Task The_question_names_the_pod_the_verb_and_the_caller()
    {
        Cluster.Rights.Add(new ClusterRight(User, "stop", "processes", "shop", "web-1"));

        Assert.True(await AskAsync(AccessVerb.Stop, null, Target("shop", "web-1")));
        Assert.False(await AskAsync(AccessVerb.Stop, null, Target("shop", "web-2")));
        Assert.False(await AskAsync(AccessVerb.Stop, null, Target("bank", "web-1")));
        Assert.False(await AskAsync(AccessVerb.Inspect, null, Target("shop", "web-1")));
        Assert.False(await AskAsync(AccessVerb.Stop, null, Target(null, null)));
        Assert.False(await AskAsync(AccessVerb.Stop, null, null));

        System.Text.Json.Nodes.JsonNode spec = Cluster.Requests[0].Body!["spec"]!;
        Assert.Equal((User, "u-1", "g"), ((string)spec["user"]!, (string)spec["uid"]!, (string)spec["groups"]![0]!));
        Assert.Equal("""{"example/x":["y"]}""", spec["extra"]!.ToJsonString());
        Assert.Equal("""{"namespace":"shop","verb":"stop","group":"corelift.dev","resource":"processes","name":"web-1"}""", spec["resourceAttributes"]!.ToJsonString());
    }

    [Fact]
    public async Task Processes_outside_pods_need_a_right_to_the_whole_cluster()
    {
        Cluster.Rights.Add(new ClusterRight(User, "inspect", "processes", "*"));
        Assert.True(await AskAsync(AccessVerb.Inspect, null, Target(null, null)));
        Assert.True(await AskAsync(AccessVerb.Inspect, null, null));
        Assert.True(await AskAsync(AccessVerb.Inspect, null, Target("any", "pod")));
    }

    [Theory]
    [InlineData("processes/stacks", true, false, false)]
    [InlineData("processes", true, true, false)]
    [InlineData("processes/full", true, true, true)]
    public async Task The_right_to_more_memory_is_the_right_to_less(string resource, bool stacks, bool usual, bool full)
    {
        Cluster.Rights.Add(new ClusterRight(User, "snapshot", resource, "shop"));
        TargetIdentity target = Target("shop", "web-1");
        Assert.Equal(stacks, await AskAsync(AccessVerb.Snapshot, CaptureContent.Stacks, target));
        Assert.Equal(usual, await AskAsync(AccessVerb.Snapshot, CaptureContent.Default, target));
        Assert.Equal(full, await AskAsync(AccessVerb.Snapshot, CaptureContent.Full, target));
        Assert.False(await AskAsync(AccessVerb.SnapshotSecrets, CaptureContent.Stacks, target));
    }

    [Fact]
    public async Task Answers_are_remembered_shortly_and_those_to_everything_and_to_secrets_never()
    {
        Cluster.Rights.Add(new ClusterRight(User, "inspect", "processes", "shop"));
        Cluster.Rights.Add(new ClusterRight(User, "snapshot", "processes/full", "shop"));
        Cluster.Rights.Add(new ClusterRight(User, "snapshot-secrets", "processes", "shop"));
        TargetIdentity target = Target("shop", "web-1");
        for (int i = 0; i < 3; i++)
        {
            Assert.True(await AskAsync(AccessVerb.Inspect, null, target));
        }

        Assert.Equal(1, Cluster.Count("subjectaccessreviews"));
        _clock.Advance(TimeSpan.FromSeconds(10));
        Assert.True(await AskAsync(AccessVerb.Inspect, null, target));
        Assert.Equal(2, Cluster.Count("subjectaccessreviews"));
        for (int i = 0; i < 3; i++)
        {
            Assert.True(await AskAsync(AccessVerb.Snapshot, CaptureContent.Full, target));
            Assert.True(await AskAsync(AccessVerb.SnapshotSecrets, CaptureContent.Default, target));
        }

        Assert.Equal(8, Cluster.Count("subjectaccessreviews"));
        Cluster.Rights.Clear();
        Assert.True(await AskAsync(AccessVerb.Inspect, null, target));
        Assert.False(await AskAsync(AccessVerb.Snapshot, CaptureContent.Full, target));
    }

    [Fact]
    public async Task Other_callers_have_no_rights_here_and_are_not_asked_for()
    {
        Cluster.Rights.Add(new ClusterRight("uid:0", "inspect", "processes", "*"));
        Assert.False(await _rights.AllowsAsync(new Caller(CallerKind.UnixPeer, "uid:0"), AccessVerb.Inspect, null, null, default));
        Assert.Equal(0, Cluster.Count("subjectaccessreviews"));
    }

    [Theory]
    [InlineData(Trouble.Silent)]
    [InlineData(Trouble.Forbidden)]
    [InlineData(Trouble.Garbage)]
    [InlineData(Trouble.Overloaded)]
    [InlineData(Trouble.Cut)]
    public async Task A_server_in_trouble_refuses_in_time(Trouble trouble)
    {
        Cluster.Rights.Add(new ClusterRight(User, "inspect", "processes", "shop"));
        Cluster.Set("subjectaccessreviews", trouble);
        var time = Stopwatch.StartNew();
        await Assert.ThrowsAsync<AccessUnavailableException>(() => AskAsync(AccessVerb.Inspect, null, Target("shop", "web-1")));
        Assert.InRange(time.Elapsed, TimeSpan.Zero, Wait.Soon);
    }

    private static TargetIdentity Target(string? space, string? pod) => new(new ProcessRef(1, 1))
    {
        Uids = [1000],
        Executable = "/bin/app",
        Cgroup = "/",
        IsDumpable = true,
        Pod = space is null ? null : new PodIdentity { Namespace = space, Name = pod!, Uid = "uid", Container = "app" },
    };

    private Task<bool> AskAsync(AccessVerb verb, CaptureContent? content, TargetIdentity? target) =>
        _rights.AllowsAsync(_caller, verb, content, target, default).AsTask();
}
