using Corelift.Client;

namespace Corelift.Cli.Cluster;

/// <summary>What is said of a call to an agent of a cluster that failed.</summary>
internal static class ClusterFailures
{
    /// <summary>Message and exit code; where it was the cluster that refused, before the agent, its own.</summary>
    internal static (string Message, int ExitCode) Describe(Exception failure)
    {
        for (Exception? cause = failure; cause is not null; cause = cause.InnerException)
        {
            if (cause is ClusterException ofCluster)
            {
                return (ofCluster.Message, ofCluster.ExitCode);
            }
        }

        return (failure.Message, failure is AgentException ofAgent ? ExitCode.Of(ofAgent) : ExitCode.Failure);
    }
}
