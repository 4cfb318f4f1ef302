using System.Text.Json.Serialization;

namespace Corelift.Agent.Kubernetes;

// What the agent reads and writes of the API server's objects, and no more; members by the API's own names. All of it may be
// missing: what a server sends is not trusted.

internal sealed record PodList(ListMeta? Metadata, Pod?[]? Items);

internal sealed record ListMeta(string? ResourceVersion, string? Continue);

internal sealed record Pod(ObjectMeta? Metadata, PodSpec? Spec, PodStatus? Status);

internal sealed record ObjectMeta(
    string? Name,
    string? Namespace,
    string? Uid,
    string? ResourceVersion,
    Dictionary<string, string?>? Labels,
    Dictionary<string, string?>? Annotations,
    OwnerReference?[]? OwnerReferences);

internal sealed record OwnerReference(string? Kind, string? Name, bool? Controller);

internal sealed record PodSpec(string? NodeName, ContainerSpec?[]? Containers, ContainerSpec?[]? InitContainers, ContainerSpec?[]? EphemeralContainers);

internal sealed record ContainerSpec(string? Name, string? Image);

internal sealed record PodStatus(
    ContainerStatus?[]? ContainerStatuses, ContainerStatus?[]? InitContainerStatuses, ContainerStatus?[]? EphemeralContainerStatuses);

/// <summary>A container as the kubelet last reported it: containerID is RUNTIME://ID, imageID a reference by digest.</summary>
internal sealed record ContainerStatus(
    string? Name,
    string? Image,
    [property: JsonPropertyName("imageID")] string? ImageId,
    [property: JsonPropertyName("containerID")] string? ContainerId);

/// <summary>The type of a line of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.</summary>
internal sealed record EventType(string? Type);

/// <summary>One line of a watch; <c>object</c> is a pod, of type BOOKMARK one with a resource version alone.</summary>
internal sealed record PodEvent(string? Type, Pod? Object);

/// <summary>One line of a watch of type ERROR.</summary>
internal sealed record ErrorEvent(ApiStatus? Object);

/// <summary>What the server answers instead of an object (meta.k8s.io Status).</summary>
internal sealed record ApiStatus(string? Message, string? Reason, int? Code);

internal sealed record TokenReview(string ApiVersion, string Kind, TokenReviewSpec? Spec, TokenReviewStatus? Status);

internal sealed record TokenReviewSpec(string Token, string[] Audiences);

internal sealed record TokenReviewStatus(bool? Authenticated, UserInfo? User, string?[]? Audiences, string? Error);

internal sealed record UserInfo(string? Username, string? Uid, string?[]? Groups, Dictionary<string, string?[]?>? Extra);

internal sealed record SubjectAccessReview(string ApiVersion, string Kind, SubjectAccessReviewSpec? Spec, SubjectAccessReviewStatus? Status);

internal sealed record SubjectAccessReviewSpec(
    ResourceAttributes ResourceAttributes, string User, string? Uid, IReadOnlyList<string> Groups, IReadOnlyDictionary<string, IReadOnlyList<string>> Extra);

internal sealed record ResourceAttributes(string Namespace, string Verb, string Group, string Resource, string? Subresource, string Name);

internal sealed record SubjectAccessReviewStatus(bool? Allowed, bool? Denied, string? Reason, string? EvaluationError);

/// <summary>Generated (de)serialisation: no reflection, so it survives ahead-of-time compilation.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = 64)]
[JsonSerializable(typeof(Pod))]
[JsonSerializable(typeof(PodList))]
[JsonSerializable(typeof(EventType))]
[JsonSerializable(typeof(PodEvent))]
[JsonSerializable(typeof(ErrorEvent))]
[JsonSerializable(typeof(ApiStatus))]
[JsonSerializable(typeof(TokenReview))]
[JsonSerializable(typeof(SubjectAccessReview))]
internal sealed partial class ApiJson : JsonSerializerContext;
