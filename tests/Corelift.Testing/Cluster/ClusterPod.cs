using System.Globalization;
using System.Text.Json.Nodes;

namespace Corelift.Testing.Cluster;

/// <summary>A container of a pod: what the pod asks for, and what the kubelet says of it.</summary>
public sealed record ClusterContainer(string Name, string? Id = null)
{
    /// <summary>Name of the runtime before the id.</summary>
    public string Runtime { get; init; } = "containerd";

    /// <summary>Image as the pod names it.</summary>
    public string Image { get; init; } = "registry.example/app:1.2";

    /// <summary>Which list it is in: containers, initContainers or ephemeralContainers.</summary>
    public string List { get; init; } = "containers";

    /// <summary>A port that it names grpc; 0 for none.</summary>
    public int Port { get; init; }

    /// <summary>Why it waits to run; null where it runs.</summary>
    public string? WaitsFor { get; init; }

    /// <summary>An id as runtimes make them.</summary>
    public static string NewId() => Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
}

/// <summary>A pod, as a test describes it.</summary>
public sealed record ClusterPod(string Namespace, string Name, params ClusterContainer[] Containers)
{
    /// <summary>Its uid.</summary>
    public string Uid { get; init; } = Guid.NewGuid().ToString();

    /// <summary>Node that it runs on.</summary>
    public string Node { get; init; } = ClusterStandIn.NodeName;

    /// <summary>Labels.</summary>
    public Dictionary<string, string> Labels { get; init; } = new() { ["app"] = "shop" };

    /// <summary>Annotations.</summary>
    public Dictionary<string, string> Annotations { get; init; } = [];

    /// <summary>Address.</summary>
    public string Address { get; init; } = "10.0.0.7";

    /// <summary>Whether it is ready.</summary>
    public bool IsReady { get; init; } = true;

    /// <summary>Its controller.</summary>
    public (string Kind, string Name) Owner { get; init; } = ("ReplicaSet", "shop-5d9");

    /// <summary>The pod of an agent as the chart makes it: of DaemonSet corelift in namespace corelift.</summary>
    public static ClusterPod OfAgent(string name, int port, string node = ClusterStandIn.NodeName) =>
        new("corelift", name, new ClusterContainer("corelift-supervisor", ClusterContainer.NewId()), new ClusterContainer("corelift", ClusterContainer.NewId()) { Port = port })
        {
            Node = node,
            Address = "127.0.0.1",
            Labels = new() { ["app.kubernetes.io/name"] = "corelift", ["app.kubernetes.io/instance"] = "corelift" },
            Owner = ("DaemonSet", "corelift"),
        };

    /// <summary>The object as the API server sends it, with parts that nobody here needs.</summary>
    public JsonObject ToJson(long version)
    {
        JsonObject spec = new() { ["nodeName"] = Node, ["restartPolicy"] = "Always" };
        JsonObject status = new() { ["phase"] = "Running", ["podIP"] = Address, ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = IsReady ? "True" : "False" }) };
        foreach (IGrouping<string, ClusterContainer> list in Containers.GroupBy(container => container.List))
        {
            string name = list.Key == "containers" ? "container" : list.Key[..^1];
            spec[list.Key] = new JsonArray([.. list.Select(ToSpec)]);
            status[$"{name}Statuses"] = new JsonArray([.. list.Select(ToStatus)]);
        }

        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Pod",
            ["metadata"] = new JsonObject
            {
                ["name"] = Name,
                ["namespace"] = Namespace,
                ["uid"] = Uid,
                ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture),
                ["labels"] = ToObject(Labels),
                ["annotations"] = ToObject(Annotations),
                ["ownerReferences"] = new JsonArray(
                    new JsonObject { ["kind"] = "Job", ["name"] = "not-this-one" },
                    new JsonObject { ["kind"] = Owner.Kind, ["name"] = Owner.Name, ["controller"] = true, ["apiVersion"] = "apps/v1" }),
                ["managedFields"] = new JsonArray(new JsonObject { ["manager"] = "kubelet", ["fieldsV1"] = new JsonObject { ["f:status"] = new JsonObject() } }),
            },
            ["spec"] = spec,
            ["status"] = status,
        };
    }

    private static JsonObject ToSpec(ClusterContainer container)
    {
        JsonObject spec = new() { ["name"] = container.Name, ["image"] = container.Image, ["resources"] = new JsonObject() };
        if (container.Port > 0)
        {
            spec["ports"] = new JsonArray(
                new JsonObject { ["name"] = "metrics", ["containerPort"] = 9464, ["protocol"] = "TCP" },
                new JsonObject { ["name"] = "grpc", ["containerPort"] = container.Port, ["protocol"] = "TCP" });
        }

        return spec;
    }

    private static JsonObject ToStatus(ClusterContainer container)
    {
        JsonObject status = new()
        {
            ["name"] = container.Name,
            ["image"] = container.Image,
            ["imageID"] = $"registry.example/app@sha256:{new string('a', 64)}",
            ["restartCount"] = 0,
            ["state"] = container.WaitsFor is { } reason
                ? new JsonObject { ["waiting"] = new JsonObject { ["reason"] = reason } }
                : new JsonObject { ["running"] = new JsonObject { ["startedAt"] = "2026-01-01T00:00:00Z" } },
        };
        if (container.Id is not null)
        {
            status["containerID"] = $"{container.Runtime}://{container.Id}";
        }

        return status;
    }

    private static JsonObject ToObject(Dictionary<string, string> entries)
    {
        JsonObject result = [];
        foreach ((string key, string value) in entries)
        {
            result[key] = value;
        }

        return result;
    }
}
