using Corelift.Linux;

namespace Corelift.Agent.Access;

/// <summary>What a decision about a target rests on, read from /proc at one moment.</summary>
/// <param name="Process">Pid and start time.</param>
internal sealed record TargetIdentity(ProcessRef Process)
{
    /// <summary>Real, effective, saved and file system uid.</summary>
    internal required IReadOnlyList<uint> Uids { get; init; }

    /// <summary>Path of the executable; empty where the kernel does not say.</summary>
    internal required string Executable { get; init; }

    /// <summary>Path of the cgroup.</summary>
    internal required string Cgroup { get; init; }

    /// <summary>Id of the container, or empty.</summary>
    internal string ContainerId { get; init; } = string.Empty;

    /// <summary>Whether the kernel calls it dumpable (PR_GET_DUMPABLE); others guard secrets.</summary>
    internal required bool IsDumpable { get; init; }

    /// <summary>Its Kubernetes pod and container, or null.</summary>
    internal PodIdentity? Pod { get; init; }
}

/// <summary>A container of a Kubernetes pod.</summary>
internal sealed record PodIdentity
{
    /// <summary>Namespace of the pod.</summary>
    internal required string Namespace { get; init; }

    /// <summary>Name of the pod.</summary>
    internal required string Name { get; init; }

    /// <summary>Uid of the pod.</summary>
    internal required string Uid { get; init; }

    /// <summary>Name of the container.</summary>
    internal required string Container { get; init; }

    /// <summary>Name of the node.</summary>
    internal string Node { get; init; } = string.Empty;

    /// <summary>Image as the pod names it.</summary>
    internal string Image { get; init; } = string.Empty;

    /// <summary>Image as the runtime resolved it, or empty.</summary>
    internal string ImageDigest { get; init; } = string.Empty;

    /// <summary>Labels of the pod.</summary>
    internal IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>Annotations of the pod.</summary>
    internal IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>();

    /// <summary>Kind of the pod's controller, or empty.</summary>
    internal string OwnerKind { get; init; } = string.Empty;

    /// <summary>Name of the pod's controller, or empty.</summary>
    internal string OwnerName { get; init; } = string.Empty;
}

/// <summary>Knows which pod a container belongs to.</summary>
internal interface IPodDirectory
{
    /// <summary>The pod of a container, or null outside Kubernetes and where it is not known (yet).</summary>
    /// <param name="containerId">64 hexadecimal digits; empty gives null.</param>
    /// <param name="cancellationToken">Gives up a look at the API server.</param>
    /// <exception cref="AccessUnavailableException">
    /// It is not known, and the API server could not be asked: what is decided by pods must be refused (fail closed).
    /// </exception>
    ValueTask<PodIdentity?> FindAsync(string containerId, CancellationToken cancellationToken);
}

/// <summary>Of an agent outside Kubernetes.</summary>
internal sealed class NoPodDirectory : IPodDirectory
{
    /// <inheritdoc/>
    public ValueTask<PodIdentity?> FindAsync(string containerId, CancellationToken cancellationToken) => ValueTask.FromResult<PodIdentity?>(null);
}
