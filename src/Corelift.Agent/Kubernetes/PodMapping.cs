using System.Buffers;
using Corelift.Agent.Access;

namespace Corelift.Agent.Kubernetes;

/// <summary>Makes of a pod of the API server what the agent keeps of it: its containers by id.</summary>
internal static class PodMapping
{
    private const int ContainerIdLength = 64;
    private const int MaxContainers = 200;
    private const int MaxEntries = 256;
    private const int MaxForeignValue = 256;
    private const int MaxOwnValue = 4096;
    private const string OwnDomain = "corelift.dev/";

    private static readonly SearchValues<char> s_hexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>The containers of a pod that have run or do, by id: init and ephemeral ones among them. Empty where it names no node or uid.</summary>
    internal static IReadOnlyList<(string ContainerId, PodIdentity Identity)> ToContainers(Pod pod)
    {
        if (pod.Metadata is not { Name: { Length: > 0 } name, Namespace: { Length: > 0 } space, Uid: { Length: > 0 } uid } meta)
        {
            return [];
        }

        // One object for all containers of the pod: labels and annotations are the larger part of it.
        OwnerReference? owner = meta.OwnerReferences?.FirstOrDefault(each => each?.Controller == true);
        var identity = new PodIdentity
        {
            Namespace = space,
            Name = name,
            Uid = uid,
            Container = string.Empty,
            Node = pod.Spec?.NodeName ?? string.Empty,
            Labels = Keep(meta.Labels, static (_, _) => true),
            Annotations = Keep(meta.Annotations, static (key, value) => value.Length <= (key.StartsWith(OwnDomain, StringComparison.Ordinal) ? MaxOwnValue : MaxForeignValue)),
            OwnerKind = owner?.Kind ?? string.Empty,
            OwnerName = owner?.Name ?? string.Empty,
        };
        var containers = new List<(string, PodIdentity)>();
        Add(containers, identity, pod.Spec?.Containers, pod.Status?.ContainerStatuses);
        Add(containers, identity, pod.Spec?.InitContainers, pod.Status?.InitContainerStatuses);
        Add(containers, identity, pod.Spec?.EphemeralContainers, pod.Status?.EphemeralContainerStatuses);
        return containers;
    }

    /// <summary>The id of <c>containerd://ID</c>, <c>cri-o://ID</c> or <c>docker://ID</c>; null for what is none.</summary>
    internal static string? ParseContainerId(string? text)
    {
        int mark = text?.IndexOf("://", StringComparison.Ordinal) ?? -1;
        string? id = mark < 0 ? null : text![(mark + 3)..];
        return id?.Length == ContainerIdLength && !id.AsSpan().ContainsAnyExcept(s_hexDigits) ? id : null;
    }

    private static void Add(List<(string, PodIdentity)> containers, PodIdentity pod, ContainerSpec?[]? specs, ContainerStatus?[]? statuses)
    {
        foreach (ContainerStatus? status in (statuses ?? []).Take(MaxContainers))
        {
            if (status is { Name: { Length: > 0 } name } && ParseContainerId(status.ContainerId) is { } id)
            {
                string? image = specs?.FirstOrDefault(spec => spec?.Name == name)?.Image ?? status.Image;
                containers.Add((id, pod with { Container = name, Image = image ?? string.Empty, ImageDigest = ToDigest(status.ImageId) }));
            }
        }
    }

    /// <summary>A reference by digest. Old kubelets put <c>docker-pullable://</c> before it; an id that is no reference stays as it is.</summary>
    private static string ToDigest(string? imageId)
    {
        int mark = imageId?.IndexOf("://", StringComparison.Ordinal) ?? -1;
        return mark < 0 ? imageId ?? string.Empty : imageId![(mark + 3)..];
    }

    /// <summary>
    /// What decisions can rest on. A label has 63 characters at most; an annotation can be a whole manifest
    /// (last-applied-configuration), and only those of our own domain may be long.
    /// </summary>
    private static Dictionary<string, string> Keep(Dictionary<string, string?>? entries, Func<string, string, bool> wants)
    {
        var kept = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((string key, string? value) in (entries ?? []).OrderByDescending(entry => entry.Key.StartsWith(OwnDomain, StringComparison.Ordinal)))
        {
            if (kept.Count < MaxEntries && wants(key, value ?? string.Empty))
            {
                kept[key] = value ?? string.Empty;
            }
        }

        return kept;
    }
}
