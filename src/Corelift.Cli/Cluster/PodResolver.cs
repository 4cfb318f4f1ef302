using System.Globalization;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Cluster;

/// <summary>Finds the process that a user means by a pod, and connects to the agent that can reach it.</summary>
internal static class PodResolver
{
    /// <summary>The process; the session's client is then the one of its agent.</summary>
    internal static async Task<ProcessRef> ResolveAsync(CliSession session, PodTarget target, CancellationToken cancellation)
    {
        ListProcessesRequest filter = session is { NamesAgent: true, Place.Address: not null }
            ? ByAgent(session, target)
            : await ByClusterAsync(session, target, cancellation);
        if (uint.TryParse(target.Process, NumberStyles.None, CultureInfo.InvariantCulture, out uint pid))
        {
            filter.Pids.Add(pid);
        }
        else
        {
            filter.Name = target.Process ?? "";
        }

        CoreliftClient client = await session.ClientAsync(cancellation);
        return ProcessChoice.Choose(session, target, await client.ListProcessesAsync(filter, cancellation).ToListAsync(cancellation));
    }

    /// <summary>Asks the cluster where the pod is, and which container it is.</summary>
    private static async Task<ListProcessesRequest> ByClusterAsync(CliSession session, PodTarget target, CancellationToken cancellation)
    {
        Pod pod = await session.Cluster.PodAsync(target.Name, cancellation);
        (_, string id) = ContainerChoice.Choose(pod, target.Container);
        if (!session.NamesAgent)
        {
            await session.UseAsync(await session.Cluster.AgentOfAsync(pod, cancellation), cancellation);
        }

        return new ListProcessesRequest { ContainerId = id };
    }

    /// <summary>Asks the agent that was named, which knows the pods of its node.</summary>
    private static ListProcessesRequest ByAgent(CliSession session, PodTarget target) => new()
    {
        Namespace = session.Namespace ?? throw new UsageException($"say in which namespace {target} is, with -n: the agent at {session.Place.Text} knows no default"),
        Pod = target.Name,
        Container = target.Container ?? "",
    };
}
