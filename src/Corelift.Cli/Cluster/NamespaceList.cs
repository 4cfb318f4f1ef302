using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Cluster;

/// <summary>What the agent of one node said.</summary>
/// <param name="Node">The node.</param>
/// <param name="Processes">Its processes.</param>
/// <param name="Problem">Why there are none; null where all went well.</param>
/// <param name="ExitCode">What the program then ends with.</param>
internal sealed record NodeAnswer(string Node, IReadOnlyList<ProcessSummary> Processes, string? Problem, int ExitCode);

/// <summary>Asks the agents of all nodes that have pods of a namespace.</summary>
internal static class NamespaceList
{
    private const int MostAtOnce = 8;

    /// <summary>Asks; a node that cannot be asked has a problem in its answer, and the others theirs.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="filter">What to list; names a namespace.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>The answers, in order of the nodes' names.</returns>
    internal static async Task<NodeAnswer[]> AskAsync(ClusterRoutes cluster, ListProcessesRequest filter, CancellationToken cancellation)
    {
        IEnumerable<Pod> pods = filter.Pod.Length > 0 ? [await cluster.PodAsync(filter.Pod, cancellation)] : await cluster.PodsAsync(filter.Namespace, cancellation);
        string[] nodes = [.. pods.Where(IsActive).Select(pod => pod.Node).Where(node => node.Length > 0).Distinct().Order(StringComparer.Ordinal)];
        ILookup<string, Pod> agents = await cluster.Agents.OfAllNodesAsync(cancellation);
        var answers = new NodeAnswer[nodes.Length];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, nodes.Length),
            new ParallelOptions { MaxDegreeOfParallelism = MostAtOnce, CancellationToken = cancellation },
            async (at, cancel) => answers[at] = await AskAsync(cluster, nodes[at], agents[nodes[at]], filter, cancel));
        return answers;
    }

    private static bool IsActive(Pod pod) => pod.Status?.Phase is not ("Succeeded" or "Failed");

    private static async Task<NodeAnswer> AskAsync(
        ClusterRoutes cluster, string node, IEnumerable<Pod> agents, ListProcessesRequest filter, CancellationToken cancellation)
    {
        try
        {
            await using CoreliftClient client = await cluster.ConnectAsync(cluster.Agents.Choose(node, agents), cancellation);
            return new NodeAnswer(node, await client.ListProcessesAsync(filter, cancellation).ToListAsync(cancellation), null, ExitCode.Ok);
        }
        catch (Exception failure) when (failure is AgentException or ClusterException)
        {
            (string message, int exitCode) = ClusterFailures.Describe(failure);
            return new NodeAnswer(node, [], message, exitCode);
        }
    }
}
