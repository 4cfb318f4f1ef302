using System.CommandLine;
using Corelift.Cli.Cluster;
using Corelift.Cli.Input;

namespace Corelift.Cli;

/// <summary>What all commands are made with: the console, the options to reach the agent, and the collected examples.</summary>
internal sealed class CommandFactory
{
    private readonly CliConsole _console;
    private readonly Dictionary<string, string[]> _examples = [];

    internal CommandFactory(CliConsole console)
    {
        _console = console;
        Connection = new ConnectionArguments(console);
        Cluster = new ClusterArguments(console);
    }

    /// <summary>How to reach the agent, for all commands.</summary>
    internal ConnectionArguments Connection { get; }

    /// <summary>Which cluster and which agents in it, for all commands.</summary>
    internal ClusterArguments Cluster { get; }

    internal IReadOnlyDictionary<string, string[]> Examples => _examples;

    internal Command Create(string name, string description, Func<CliSession, CancellationToken, Task<int>> work, params string[] examples)
    {
        _examples[name] = examples;
        Command command = new(name.Split(' ')[^1], description); // "audit verify" is the verify of audit
        command.SetAction((arguments, cancellation) =>
            CommandLine.RunAsync(new CliSession(arguments, _console, Connection, Cluster), work, cancellation));
        return command;
    }

    internal static Argument<string> Target() => new("PID")
    {
        Description = $"A process id, a name that one process has, or {PodTarget.Form}",
    };

    internal static Option<bool> Json() => new("--json")
    {
        Description = "Print one JSON object",
    };
}
