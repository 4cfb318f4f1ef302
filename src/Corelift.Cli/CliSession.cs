using System.CommandLine;
using Corelift.Cli.Cluster;
using Corelift.Cli.Input;
using Corelift.Cli.Output;
using Corelift.Client;

namespace Corelift.Cli;

/// <summary>One run of one command: its arguments, the console, and the agent, connected on first use.</summary>
internal sealed class CliSession(ParseResult arguments, CliConsole console, ConnectionArguments connection, ClusterArguments cluster) : IAsyncDisposable
{
    private CoreliftClient? _client;
    private ClusterRoutes? _routes;

    internal CliConsole Console { get; } = console;

    /// <summary>Where the user says that the agent is.</summary>
    internal AgentPlace Place { get; } = connection.Place(arguments);

    /// <summary>Whether the user says so, as against the usual socket.</summary>
    internal bool NamesAgent => connection.NamesAgent(arguments);

    /// <summary>The Kubernetes namespace that the user names; null for none.</summary>
    internal string? Namespace => cluster.Namespace(arguments);

    /// <summary>The cluster; its kubeconfig is read on first use.</summary>
    internal ClusterRoutes Cluster => _routes ??= OpenCluster();

    /// <summary>Options with which another command reaches the same agent; empty where it does so anyway.</summary>
    internal string AgentHint { get; private set; } = "";

    internal T? Get<T>(Option<T> option) => arguments.GetValue(option);

    internal T? Get<T>(Argument<T> argument) => arguments.GetValue(argument);

    /// <summary>The connection to the agent.</summary>
    internal async ValueTask<CoreliftClient> ClientAsync(CancellationToken cancellation)
    {
        if (_client is null && Place.Address is { } address)
        {
            _client = CoreliftClient.Connect(address, connection.ToOptions(arguments));
        }
        else if (_client is null)
        {
            AgentPod agent = Place.Node is { } node
                ? await Cluster.Agents.OnNodeAsync(node, cancellation)
                : await Cluster.AgentOfAsync(await Cluster.PodAsync(Place.Pod!, cancellation), cancellation);
            await UseAsync(agent, cancellation);
        }

        return _client!;
    }

    /// <summary>Makes an agent of the cluster the one of this run.</summary>
    internal async Task UseAsync(AgentPod agent, CancellationToken cancellation)
    {
        _client = await Cluster.ConnectAsync(agent, cancellation);
        AgentHint = agent.IsSidecar ? $" --agent pod/{agent.Pod.Name} -n {agent.Pod.Namespace}" : $" --agent node/{agent.Pod.Node}";
    }

    /// <summary>Prints a line of text whose parts may come from a target or an agent.</summary>
    internal void Print(string line) => Console.Out.WriteLine(TerminalText.Escape(line));

    internal void PrintError(string line) => Console.Error.WriteLine(TerminalText.Escape(line));

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            await _client.DisposeAsync();
        }

        _routes?.Dispose();
    }

    private ClusterRoutes OpenCluster()
    {
        ClusterWishes wishes = cluster.Read(arguments);
        return new ClusterRoutes(Kubeconfig.Load(wishes.Kubeconfig, wishes.Context, Console), wishes, connection.ToOptions(arguments));
    }
}
