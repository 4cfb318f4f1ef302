using System.Text.Json.Serialization;

namespace Corelift.Cli.Cluster;

// What this program reads and writes of the API server's objects, and no more; members by the API's own names. All of it may be
// missing: what a server sends is not trusted.

internal sealed record PodList(ListMeta? Metadata, Pod?[]? Items);

internal sealed record ListMeta(string? Continue);

internal sealed record Pod(ObjectMeta? Metadata, PodSpec? Spec, PodStatus? Status)
{
    internal string Name => Metadata?.Name ?? "";

    internal string Namespace => Metadata?.Namespace ?? "";

    /// <summary>Empty while it has none.</summary>
    internal string Node => Spec?.NodeName ?? "";

    internal bool IsReady => Metadata?.DeletionTimestamp is null && Status?.Phase == "Running"
        && (Status.Conditions ?? []).Any(condition => condition is { Type: "Ready", Status: "True" });

    /// <summary>Containers as the pod asks for them: init and ephemeral ones among them, which can run, too.</summary>
    internal IEnumerable<ContainerSpec> Containers =>
        (Spec?.Containers ?? []).Concat(Spec?.InitContainers ?? []).Concat(Spec?.EphemeralContainers ?? []).OfType<ContainerSpec>();

    /// <summary>The same as the kubelet sees them.</summary>
    internal IEnumerable<ContainerStatus> Statuses =>
        (Status?.ContainerStatuses ?? []).Concat(Status?.InitContainerStatuses ?? []).Concat(Status?.EphemeralContainerStatuses ?? []).OfType<ContainerStatus>();
}

internal sealed record ObjectMeta(
    string? Name, string? Namespace, string? DeletionTimestamp, Dictionary<string, string?>? Annotations, OwnerReference?[]? OwnerReferences);

internal sealed record OwnerReference(string? Kind, string? Name, bool? Controller);

internal sealed record PodSpec(string? NodeName, ContainerSpec?[]? Containers, ContainerSpec?[]? InitContainers, ContainerSpec?[]? EphemeralContainers);

internal sealed record ContainerSpec(string? Name, ContainerPort?[]? Ports);

internal sealed record ContainerPort(string? Name, [property: JsonPropertyName("containerPort")] int? Number);

internal sealed record PodStatus(
    string? Phase,
    [property: JsonPropertyName("podIP")] string? Address,
    PodCondition?[]? Conditions,
    ContainerStatus?[]? ContainerStatuses,
    ContainerStatus?[]? InitContainerStatuses,
    ContainerStatus?[]? EphemeralContainerStatuses);

internal sealed record PodCondition(string? Type, string? Status);

/// <summary>A container as the kubelet last reported it: containerID is RUNTIME://ID.</summary>
internal sealed record ContainerStatus(string? Name, [property: JsonPropertyName("containerID")] string? ContainerId, ContainerState? State)
{
    /// <summary>Without the runtime's name; empty while it has none.</summary>
    internal string Id => (ContainerId ?? "").Split("://", 2)[^1];
}

internal sealed record ContainerState(StateDetails? Running, StateDetails? Waiting, StateDetails? Terminated);

internal sealed record StateDetails(string? Reason);

internal sealed record TokenRequest(string ApiVersion, string Kind, TokenRequestSpec? Spec, TokenRequestStatus? Status);

internal sealed record TokenRequestSpec(string[] Audiences, long ExpirationSeconds);

internal sealed record TokenRequestStatus(string? Token);

/// <summary>What the server answers instead of an object (meta.k8s.io Status).</summary>
internal sealed record ApiStatus(string? Message);

/// <summary>Generated (de)serialisation: no reflection, so it survives ahead-of-time compilation.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = 64)]
[JsonSerializable(typeof(Pod))]
[JsonSerializable(typeof(PodList))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(ApiStatus))]
internal sealed partial class ApiJson : JsonSerializerContext;
