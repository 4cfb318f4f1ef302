using System.Text.Json;
using Corelift.Agent.Access;
using Corelift.Agent.Kubernetes;
using Corelift.Testing.Cluster;

namespace Corelift.Agent.Tests.Kubernetes;

/// <summary>What is kept of a pod.</summary>
public sealed class PodMappingTests
{
    private static readonly string s_first = ClusterContainer.NewId();
    private static readonly string s_second = ClusterContainer.NewId();
    private static readonly string s_third = ClusterContainer.NewId();

    [Fact]
    public void Containers_of_every_kind_and_runtime_are_found()
    {
        var pod = new ClusterPod(
            "shop", "web-1",
            new ClusterContainer("app", s_first) { Runtime = "containerd" },
            new ClusterContainer("setup", s_second) { Runtime = "cri-o", List = "initContainers" },
            new ClusterContainer("debugger", s_third) { Runtime = "docker", List = "ephemeralContainers" },
            new ClusterContainer("waiting"));

        IReadOnlyList<(string ContainerId, PodIdentity Identity)> found = Map(pod);

        Assert.Equal([(s_first, "app"), (s_second, "setup"), (s_third, "debugger")], found.Select(each => (each.ContainerId, each.Identity.Container)));
        Assert.All(found, each => Assert.Equal(("shop", "web-1", pod.Uid), (each.Identity.Namespace, each.Identity.Name, each.Identity.Uid)));
        PodIdentity app = found[0].Identity;
        Assert.Equal(("registry.example/app:1.2", $"registry.example/app@sha256:{new string('a', 64)}"), (app.Image, app.ImageDigest));
        Assert.Equal(("node-1", "ReplicaSet", "shop-5d9"), (app.Node, app.OwnerKind, app.OwnerName));
        Assert.Equal("shop", app.Labels["app"]);
    }

    [Fact]
    public void Long_annotations_are_left_out_but_for_our_own()
    {
        PodIdentity identity = Map(new ClusterPod("a", "b", new ClusterContainer("c", s_first))
        {
            Annotations = new()
            {
                ["kubectl.kubernetes.io/last-applied-configuration"] = new string('x', 5000),
                ["team"] = "checkout",
                ["corelift.dev/note"] = new string('y', 4000),
            },
        })[0].Identity;

        Assert.Equal(["corelift.dev/note", "team"], identity.Annotations.Keys.Order());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("0123")]
    [InlineData("containerd://")]
    [InlineData("containerd://../../etc/passwd")]
    [InlineData("containerd://ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")]
    public void What_is_no_container_id_is_none(string? text) => Assert.Null(PodMapping.ParseContainerId(text));

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"metadata":null,"spec":null,"status":null}""")]
    [InlineData("""{"metadata":{"name":"x","namespace":"y"}}""")]
    [InlineData("""{"metadata":{"name":"x","namespace":"y","uid":"z","labels":{"a":null},"ownerReferences":[null]},"status":{"containerStatuses":[null,{}]}}""")]
    public void A_pod_of_which_parts_are_missing_has_no_containers(string json) =>
        Assert.Empty(PodMapping.ToContainers(JsonSerializer.Deserialize(json, ApiJson.Default.Pod)!));

    private static IReadOnlyList<(string ContainerId, PodIdentity Identity)> Map(ClusterPod pod) =>
        PodMapping.ToContainers(JsonSerializer.Deserialize(pod.ToJson(7).ToJsonString(), ApiJson.Default.Pod)!);
}
