using Corelift.Client;

namespace Corelift.Cli.Cluster;

/// <summary>Where the agent is: at an address, or in the cluster, on a node or beside a pod.</summary>
/// <param name="Address">Its address; null where it is in the cluster.</param>
/// <param name="Node">Node that it is on; null where that is not said.</param>
/// <param name="Pod">Pod that it is for; null where that is not said.</param>
internal sealed record AgentPlace(AgentAddress? Address, string? Node = null, string? Pod = null)
{
    private const string NodePrefix = "node/";

    /// <summary>As users write it.</summary>
    internal string Text => Address?.Text ?? (Node is null ? $"pod/{Pod}" : $"{NodePrefix}{Node}");

    /// <exception cref="FormatException">It is none.</exception>
    internal static AgentPlace Parse(string text)
    {
        if (text.StartsWith(NodePrefix, StringComparison.Ordinal) && text.Length > NodePrefix.Length)
        {
            return new AgentPlace(null, Node: text[NodePrefix.Length..]);
        }

        if (!PodTarget.IsOne(text))
        {
            return new AgentPlace(AgentAddress.Parse(text));
        }

        PodTarget pod = PodTarget.Parse(text);
        return pod.Container is null
            ? new AgentPlace(null, Pod: pod.Name)
            : throw new FormatException($"'{text}' names a container: an agent is for a whole pod, pod/{pod.Name}");
    }
}
