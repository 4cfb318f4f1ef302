using Corelift.Agent.Services;

namespace Corelift.Agent.Health;

/// <summary>One thing without which the agent cannot take work.</summary>
internal interface IReadinessSource
{
    /// <summary>Why it cannot, in a sentence that says what to do; null where it can. Answers within a second or two.</summary>
    ValueTask<string?> WhyNotReadyAsync(CancellationToken cancellationToken);
}

/// <summary>
/// Whether the agent takes new work, as against whether it lives: not while it stops, and not while one of its sources says
/// why. An agent that is not ready is not helped by a restart, so liveness does not ask for this.
/// </summary>
internal sealed class AgentReadiness(ShutdownGate gate, IEnumerable<IReadinessSource> sources)
{
    private volatile bool _lastKnown = true;

    /// <summary>What the last answer was; false at once where the agent stops.</summary>
    internal bool LastKnown => _lastKnown && !gate.IsClosed;

    /// <summary>Why it takes no work; empty where it does.</summary>
    internal async ValueTask<IReadOnlyList<string>> AskAsync(CancellationToken cancellationToken)
    {
        if (gate.IsClosed)
        {
            return ["the agent is stopping"];
        }

        List<string> reasons = [];
        foreach (IReadinessSource source in sources)
        {
            if (await source.WhyNotReadyAsync(cancellationToken).ConfigureAwait(false) is { } reason)
            {
                reasons.Add(reason);
            }
        }

        _lastKnown = reasons.Count == 0;
        return reasons;
    }
}
