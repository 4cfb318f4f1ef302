using Corelift.Agent.Access;
using Corelift.V1;

namespace Corelift.Agent.Services;

/// <summary>What is said of a process's pod.</summary>
internal static class PodSummaries
{
    /// <summary>Adds the pod to a summary; where it cannot be found out, the rest of the summary is still worth having.</summary>
    internal static async ValueTask AddPodAsync(this ProcessSummary summary, IPodDirectory pods, CancellationToken cancellationToken)
    {
        try
        {
            summary.Pod = (await pods.FindAsync(summary.ContainerId, cancellationToken).ConfigureAwait(false))?.ToWire();
        }
        catch (AccessUnavailableException)
        {
            summary.Pod = null;
        }
    }

    /// <summary>The wire form.</summary>
    internal static PodContainer ToWire(this PodIdentity pod)
    {
        var wire = new PodContainer
        {
            Namespace = pod.Namespace,
            Pod = pod.Name,
            PodUid = pod.Uid,
            Container = pod.Container,
            Image = pod.Image,
            ImageDigest = pod.ImageDigest,
            Node = pod.Node,
            OwnerKind = pod.OwnerKind,
            OwnerName = pod.OwnerName,
        };
        foreach ((string key, string value) in pod.Labels)
        {
            wire.Labels[key] = value;
        }

        return wire;
    }
}
