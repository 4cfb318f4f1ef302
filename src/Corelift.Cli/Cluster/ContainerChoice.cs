using Corelift.Cli.Input;

namespace Corelift.Cli.Cluster;

/// <summary>Chooses the container of a pod that is meant, as kubectl does: the one that is named, else the default one, else the only one.</summary>
internal static class ContainerChoice
{
    private const string DefaultAnnotation = "kubectl.kubernetes.io/default-container";
    private const int ShortestId = 8; // of what an agent takes
    private const int LongestId = 64;

    // What the chart puts beside a workload.
    private static readonly string[] s_ofAgent = ["corelift", "corelift-supervisor"];

    /// <summary>Chooses.</summary>
    /// <returns>Its name, and its id without the runtime's name.</returns>
    /// <exception cref="ClusterException">There is none, it does not run, or several could be meant.</exception>
    internal static (string Name, string Id) Choose(Pod pod, string? named)
    {
        string name = named ?? Default(pod);
        if (pod.Statuses.FirstOrDefault(status => status.Name == name) is not { } found)
        {
            string[] names = [.. pod.Containers.Select(container => container.Name ?? "")];
            string meant = NearestName.Find(name, names) is { } near ? $"; did you mean '{near}'?" : $"; it has {string.Join(", ", names)}";
            throw new ClusterException(
                names.Contains(name) ? $"container {name} of pod {pod.Namespace}/{pod.Name} has not been started" : $"pod {pod.Namespace}/{pod.Name} has no container '{name}'{meant}",
                ExitCode.TargetGone);
        }

        return found.State?.Running is not null && found.Id.Length is >= ShortestId and <= LongestId && found.Id.All(char.IsAsciiHexDigitLower)
            ? (name, found.Id)
            : throw new ClusterException(
                $"container {name} of pod {pod.Namespace}/{pod.Name} does not run ({found.State?.Waiting?.Reason ?? found.State?.Terminated?.Reason ?? "its state is not known"})",
                ExitCode.TargetGone);
    }

    /// <summary>Takes away the names of the agent's own containers.</summary>
    internal static string[] WithoutAgent(IEnumerable<string> names) => [.. names.Where(name => !s_ofAgent.Contains(name))];

    private static string Default(Pod pod)
    {
        string[] names = WithoutAgent((pod.Spec?.Containers ?? []).Select(container => container?.Name ?? ""));
        return (pod.Metadata?.Annotations?.GetValueOrDefault(DefaultAnnotation), names) switch
        {
            ({ Length: > 0 } name, _) when names.Contains(name) => name,
            (_, [var only]) => only,
            (_, []) => throw new ClusterException($"pod {pod.Namespace}/{pod.Name} has no container but the agent's; name that one, if it is meant", ExitCode.TargetGone),
            _ => throw new ClusterException(
                $"pod {pod.Namespace}/{pod.Name} has several containers: say which, pod/{pod.Name}/CONTAINER ({string.Join(", ", names)})", ExitCode.Usage),
        };
    }
}
