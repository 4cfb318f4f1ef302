using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Cluster;

/// <summary>What the agent of one node said.</summary>
/// <param name="Node">The node.</param>
/// <param name="Processes">Its processes.</param>
/// <param name="Problem">Why there are none; null where all went well.</param>
/// <param name="ExitCode">What the program then ends with.</param>
internal sealed record NodeAnswer(string Node, IReadOnlyList<ProcessSummary> Processes, string? Problem, int ExitCode);

/// <summary>Asks the agents of all nodes that have pods of a namespace; on a node without one, those beside the pods.</summary>
internal static class NamespaceList
{
    private const int MostAtOnce = 8;

    /// <summary>Who is asked.</summary>
    /// <param name="Node">A node with pods of the namespace.</param>
    /// <param name="Agents">The agents of that node.</param>
    /// <param name="Beside">A pod on it that has an agent of its own, which is asked in their place.</param>
    private sealed record Source(string Node, IEnumerable<Pod> Agents, Pod? Beside);

    /// <summary>Asks; a node that cannot be asked has a problem in its answer, and the others theirs.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="filter">What to list; names a namespace.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>The answers, in order of the nodes' names.</returns>
    internal static async Task<NodeAnswer[]> AskAsync(ClusterRoutes cluster, ListProcessesRequest filter, CancellationToken cancellation)
    {
        IEnumerable<Pod> pods = filter.Pod.Length > 0 ? [await cluster.PodAsync(filter.Pod, cancellation)] : await cluster.PodsAsync(filter.Namespace, cancellation);
        ILookup<string, Pod> agents = await cluster.Agents.OfAllNodesAsync(cancellation);
        Source[] sources =
        [
            .. pods.Where(pod => IsActive(pod) && pod.Node.Length > 0).GroupBy(pod => pod.Node).OrderBy(node => node.Key, StringComparer.Ordinal)
                .SelectMany(node => agents.Contains(node.Key) ? [new Source(node.Key, agents[node.Key], null)] : Beside(node.Key, node)),
        ];
        var answers = new NodeAnswer[sources.Length];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, sources.Length),
            new ParallelOptions { MaxDegreeOfParallelism = MostAtOnce, CancellationToken = cancellation },
            async (at, cancel) => answers[at] = await AskAsync(cluster, sources[at], filter, cancel));
        return answers;
    }

    private static bool IsActive(Pod pod) => pod.Status?.Phase is not ("Succeeded" or "Failed");

    /// <summary>The pods of a node that have an agent of their own, and once for all that have none.</summary>
    private static IEnumerable<Source> Beside(string node, IEnumerable<Pod> pods) =>
        pods.Select(pod => new Source(node, [], AgentPods.HasAgent(pod) ? pod : null)).DistinctBy(source => source.Beside);

    private static async Task<NodeAnswer> AskAsync(ClusterRoutes cluster, Source source, ListProcessesRequest filter, CancellationToken cancellation)
    {
        try
        {
            AgentPod agent = source.Beside is { } pod ? AgentPods.Beside(pod)! : cluster.Agents.Choose(source.Node, source.Agents);
            await using CoreliftClient client = await cluster.ConnectAsync(agent, cancellation);
            ListProcessesRequest request = source.Beside is null ? filter : WithoutPods(filter);
            List<ProcessSummary> processes = await client.ListProcessesAsync(request, cancellation).ToListAsync(cancellation);
            return new NodeAnswer(source.Node, source.Beside is null ? processes : [.. OfPod(source.Beside, processes, filter.Container)], null, ExitCode.Ok);
        }
        catch (Exception failure) when (failure is AgentException or ClusterException)
        {
            (string message, int exitCode) = ClusterFailures.Describe(failure);
            return new NodeAnswer(source.Node, [], message, exitCode);
        }
    }

    /// <summary>An agent beside a pod's containers asks no API server: it knows ids of containers, and no pods.</summary>
    private static ListProcessesRequest WithoutPods(ListProcessesRequest filter)
    {
        ListProcessesRequest request = filter.Clone();
        request.Namespace = request.Pod = request.Container = "";
        return request;
    }

    private static IEnumerable<ProcessSummary> OfPod(Pod pod, IEnumerable<ProcessSummary> processes, string container)
    {
        foreach (ProcessSummary process in processes)
        {
            ContainerStatus? status = pod.Statuses.FirstOrDefault(status => status.Id.Length > 0 && status.Id == process.ContainerId);
            if (status is not null && (container.Length == 0 || container == status.Name))
            {
                process.Pod = new PodContainer { Namespace = pod.Namespace, Pod = pod.Name, Container = status.Name ?? "", Node = pod.Node };
                yield return process;
            }
        }
    }
}
