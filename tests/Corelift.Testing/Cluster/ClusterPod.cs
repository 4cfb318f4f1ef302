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

    /// <summary>The object as the API server sends it, with parts that nobody here needs.</summary>
    public JsonObject ToJson(long version)
    {
        JsonObject spec = new() { ["nodeName"] = Node, ["restartPolicy"] = "Always" };
        JsonObject status = new() { ["phase"] = "Running", ["podIP"] = "10.0.0.7", ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }) };
        foreach (IGrouping<string, ClusterContainer> list in Containers.GroupBy(container => container.List))
        {
            string name = list.Key == "containers" ? "container" : list.Key[..^1];
            spec[list.Key] = new JsonArray([.. list.Select(each => new JsonObject { ["name"] = each.Name, ["image"] = each.Image, ["resources"] = new JsonObject() })]);
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
                    new JsonObject { ["kind"] = "ReplicaSet", ["name"] = "shop-5d9", ["controller"] = true, ["apiVersion"] = "apps/v1" }),
                ["managedFields"] = new JsonArray(new JsonObject { ["manager"] = "kubelet", ["fieldsV1"] = new JsonObject { ["f:status"] = new JsonObject() } }),
            },
            ["spec"] = spec,
            ["status"] = status,
        };
    }

    private static JsonObject ToStatus(ClusterContainer container)
    {
        JsonObject status = new()
        {
            ["name"] = container.Name,
            ["image"] = container.Image,
            ["imageID"] = $"registry.example/app@sha256:{new string('a', 64)}",
            ["restartCount"] = 0,
            ["state"] = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = "2026-01-01T00:00:00Z" } },
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
