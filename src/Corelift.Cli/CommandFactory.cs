using System.CommandLine;
using Corelift.Cli.Input;
using Corelift.Client;

namespace Corelift.Cli;

/// <summary>What all commands are made with: the console, the option --agent, and the collected examples.</summary>
internal sealed class CommandFactory
{
    private readonly CliConsole _console;
    private readonly Dictionary<string, string[]> _examples = [];

    internal CommandFactory(CliConsole console)
    {
        _console = console;
        AgentOption = new Option<AgentAddress>("--agent")
        {
            Description = "Where the agent listens: unix:PATH, http://HOST:PORT or https://HOST:PORT; "
                + "environment: CORELIFT_AGENT",
            HelpName = "ADDRESS",
            Recursive = true,
            CustomParser = ValueParsers.Of("--agent", AgentAddress.Parse),
            DefaultValueFactory = result =>
            {
                string? text = console.Environment("CORELIFT_AGENT");
                if (string.IsNullOrEmpty(text))
                {
                    return AgentAddress.Default;
                }

                if (!AgentAddress.TryParse(text, out AgentAddress? address, out string? problem))
                {
                    result.AddError($"CORELIFT_AGENT: {problem}");
                }

                return address ?? AgentAddress.Default;
            },
        };
        ReasonOption = new Option<string?>("--reason")
        {
            Description = "Why, for the agent's audit log; an agent's policy can ask for it; environment: CORELIFT_REASON",
            HelpName = "TEXT",
            Recursive = true,
            DefaultValueFactory = _ => console.Environment("CORELIFT_REASON") is { Length: > 0 } reason ? reason : null,
        };
    }

    internal Option<AgentAddress> AgentOption { get; }

    internal Option<string?> ReasonOption { get; }

    internal IReadOnlyDictionary<string, string[]> Examples => _examples;

    internal Command Create(string name, string description, Func<CliSession, CancellationToken, Task<int>> work, params string[] examples)
    {
        _examples[name] = examples;
        Command command = new(name.Split(' ')[^1], description); // "audit verify" is the verify of audit
        command.SetAction((arguments, cancellation) =>
            CommandLine.RunAsync(new CliSession(arguments, _console, AgentOption, ReasonOption), work, cancellation));
        return command;
    }

    internal static Argument<string> Target() => new("PID")
    {
        Description = "A process id, or a name that one process has",
    };

    internal static Option<bool> Json() => new("--json")
    {
        Description = "Print one JSON object",
    };
}
