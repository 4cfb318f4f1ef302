namespace Corelift.Cli.Cluster;

/// <summary>An agent that runs in a pod: of its own, for a node, or beside the containers of a workload.</summary>
/// <param name="Pod">Its pod.</param>
/// <param name="Port">Port that it serves TLS on.</param>
/// <param name="IsSidecar">Whether the pod is a workload's.</param>
internal sealed record AgentPod(Pod Pod, int Port, bool IsSidecar)
{
    /// <summary>For messages.</summary>
    internal string Text => IsSidecar ? $"the agent in pod {Pod.Namespace}/{Pod.Name}" : $"agent {Pod.Namespace}/{Pod.Name} on node {Pod.Node}";

    /// <summary>Name in its certificate as the chart makes it: that of the DaemonSet's Service. Null beside a workload, whose certificate is its own affair.</summary>
    internal string? ServerName =>
        (Pod.Metadata?.OwnerReferences ?? []).FirstOrDefault(owner => owner is { Kind: "DaemonSet", Controller: true })?.Name is { Length: > 0 } set
            ? $"{set}.{Pod.Namespace}.svc"
            : null;
}

/// <summary>
/// Finds agents. Those for nodes are looked for in one namespace alone: whoever may create pods in another could label one like an
/// agent's, and be shown the token that was meant for a real one.
/// </summary>
internal sealed class AgentPods(ClusterApi api, ClusterWishes wishes)
{
    private const string Container = "corelift"; // as the chart names them
    private const string Port = "grpc";

    /// <summary>Whether one of a pod's containers is an agent.</summary>
    internal static bool HasAgent(Pod pod) => pod.Containers.Any(container => container.Name == Container);

    /// <summary>The agent beside a workload's containers; null where there is none.</summary>
    /// <exception cref="ClusterException">It is there and cannot be called.</exception>
    internal static AgentPod? Beside(Pod pod) => HasAgent(pod) ? new AgentPod(pod, PortOf(pod), IsSidecar: true) : null;

    /// <summary>The agent on a node.</summary>
    /// <exception cref="ClusterException">There is none that can be called.</exception>
    internal async Task<AgentPod> OnNodeAsync(string node, CancellationToken cancellation)
    {
        List<Pod> pods = await api.ListPodsAsync(wishes.AgentNamespace, wishes.AgentSelector, $"spec.nodeName={node}", cancellation);
        return pods.Count == 0 && await ElsewhereAsync(cancellation) is { Length: > 0 } elsewhere
            ? throw new ClusterException($"{None(node)} Pods with these labels are in {elsewhere}: if that is where your agents are, name it with --agent-namespace", ExitCode.Unreachable)
            : Choose(node, pods);
    }

    /// <summary>All agents of all nodes, by node.</summary>
    internal async Task<ILookup<string, Pod>> OfAllNodesAsync(CancellationToken cancellation) =>
        (await api.ListPodsAsync(wishes.AgentNamespace, wishes.AgentSelector, null, cancellation)).ToLookup(pod => pod.Node);

    /// <summary>The one of several on a node that is to be called.</summary>
    /// <exception cref="ClusterException">None, or more than one.</exception>
    internal AgentPod Choose(string node, IEnumerable<Pod> pods)
    {
        Pod[] agents = [.. pods.Where(HasAgent)];
        Pod[] ready = [.. agents.Where(pod => pod.IsReady)];
        return (agents, ready) switch
        {
            ([], _) => throw new ClusterException(None(node), ExitCode.Unreachable),
            (_, []) => throw new ClusterException(
                $"agent {agents[0].Namespace}/{agents[0].Name} on node {node} is not ready ({Why(agents[0])}); 'kubectl -n {agents[0].Namespace} describe pod {agents[0].Name}' says more",
                ExitCode.Unreachable),
            (_, [var only]) => new AgentPod(only, PortOf(only), IsSidecar: false),
            _ => throw new ClusterException(
                $"node {node} has several agents ({string.Join(", ", ready.Select(pod => pod.Name))}): choose by their labels with --agent-selector", ExitCode.Usage),
        };
    }

    private static int PortOf(Pod pod) =>
        pod.Containers.First(container => container.Name == Container).Ports?.FirstOrDefault(port => port?.Name == Port)?.Number is { } number and > 0 and <= ushort.MaxValue
            ? number
            : throw new ClusterException(
                $"the agent in pod {pod.Namespace}/{pod.Name} serves no port '{Port}': give the chart a certificate for it (tls.source), or use it by 'kubectl -n {pod.Namespace} exec {pod.Name} -c {Container} -- corelift ps'",
                ExitCode.Unreachable);

    private static string Why(Pod pod) =>
        pod.Metadata?.DeletionTimestamp is not null ? "it is being deleted"
        : pod.Statuses.Select(status => (status.State?.Waiting ?? status.State?.Terminated)?.Reason).FirstOrDefault(reason => reason is { Length: > 0 }) is { } reason ? reason
        : pod.Status?.Phase ?? "phase unknown";

    private string None(string node) =>
        $"there is no agent on node {node}: none in namespace {wishes.AgentNamespace} with labels {wishes.AgentSelector}. Install the chart helm/corelift, see whether its nodeSelector and tolerations take that node, or say where agents are with --agent-namespace and --agent-selector.";

    /// <summary>Namespaces that have what looks like agents, for those who may look there.</summary>
    private async Task<string> ElsewhereAsync(CancellationToken cancellation)
    {
        try
        {
            return string.Join(", ", (await api.ListPodsAsync(null, wishes.AgentSelector, null, cancellation)).Select(pod => pod.Namespace).Distinct().Take(5));
        }
        catch (ClusterException)
        {
            return ""; // not permitted: what was found out already is said without
        }
    }
}
