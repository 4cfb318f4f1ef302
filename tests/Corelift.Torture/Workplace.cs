using Corelift.Torture.Targets;

namespace Corelift.Torture;

/// <summary>The agent and the targets that cases are run on, kept from case to case; what is broken is made anew.</summary>
internal sealed class Workplace : IAsyncDisposable
{
    private const uint AgentUid = 65534;
    private const int MostCases = 500;
    private const string ErrorsOfFaults = "worker|image|the supervisor has ended";

    private readonly ScratchFolder _state = new();
    private readonly Dictionary<string, LiveTarget> _targets = [];
    private readonly Dictionary<(string Target, Session Session), SessionLength> _lengths = [];
    private TorturedAgent? _agent;

    internal Workplace() => _state.GiveTo(AgentUid, AgentUid);

    /// <summary>Pids of the targets that live.</summary>
    internal IEnumerable<int> TargetPids => _targets.Values.Select(target => target.Process.Pid);

    /// <summary>Files of the agent's journals; there are none while nothing is under way.</summary>
    internal IEnumerable<string> Journals => _state.Names.Where(name => name.EndsWith(".image", StringComparison.Ordinal) || name.EndsWith(".quiesce", StringComparison.Ordinal));

    /// <summary>The agent; one that has ended is replaced by a new one, which cleans up after it.</summary>
    internal async Task<TorturedAgent> AgentAsync()
    {
        if (_agent is null || _agent.Process.HasExited)
        {
            await EndAgentAsync();
            _agent = await TorturedAgent.StartAsync(_state.Path);
        }

        return _agent;
    }

    /// <summary>Ends the agent in order, or what is left of it.</summary>
    internal async Task EndAgentAsync()
    {
        if (_agent is not null)
        {
            TorturedAgent agent = _agent;
            _agent = null;
            await using (agent)
            {
                await (agent.Process.HasExited ? Task.FromResult(0) : agent.Process.StopAsync());
                agent.Process.AssertCleanLog(ErrorsOfFaults);
            }
        }
    }

    /// <summary>A target of a kind; after a number of cases it has to pass its last check, and a new one is started.</summary>
    internal async Task<LiveTarget> TargetAsync(TargetKind kind)
    {
        foreach (LiveTarget busy in _targets.Values.Where(other => other.Kind.IsBusy && other.Kind != kind).ToArray())
        {
            await EndTargetAsync(busy.Kind);
        }

        if (_targets.TryGetValue(kind.Name, out LiveTarget? target) && (!target.IsAlive || target.Cases >= MostCases))
        {
            await EndTargetAsync(kind);
            target = null;
        }

        return target ?? (_targets[kind.Name] = LiveTarget.Start(kind));
    }

    /// <summary>Ends a target; one that lives still has to pass its last check.</summary>
    internal async Task EndTargetAsync(TargetKind kind)
    {
        if (_targets.Remove(kind.Name, out LiveTarget? target))
        {
            using (target)
            {
                await (target.IsAlive ? target.CheckAtEndAsync() : Task.CompletedTask);
            }
        }
    }

    /// <summary>Throws a target away as it is.</summary>
    internal void Abandon(TargetKind kind)
    {
        if (_targets.Remove(kind.Name, out LiveTarget? target))
        {
            target.Dispose();
        }
    }

    /// <summary>How long sessions of a kind take; by one that nothing is done to, the first time.</summary>
    internal async Task<SessionLength> LengthAsync(TortureCase torture)
    {
        (string Name, Session Session) key = (torture.Target.Name, torture.Session);
        if (!_lengths.TryGetValue(key, out SessionLength? length))
        {
            length = _lengths[key] = await SessionLength.MeasureAsync(torture with { Fault = Fault.None }, await TargetAsync(torture.Target), await AgentAsync());
        }

        return length;
    }

    /// <summary>Ends all in order: targets have their last check, and the agent its log.</summary>
    internal async Task EndAsync()
    {
        foreach (LiveTarget target in _targets.Values.ToArray())
        {
            await EndTargetAsync(target.Kind);
        }

        await EndAgentAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await (_agent?.DisposeAsync() ?? ValueTask.CompletedTask);
        foreach (LiveTarget target in _targets.Values)
        {
            target.Dispose();
        }

        _targets.Clear();
        _state.Dispose();
    }
}
