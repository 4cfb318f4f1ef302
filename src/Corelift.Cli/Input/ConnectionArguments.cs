using System.CommandLine;
using Corelift.Cli.Cluster;
using Corelift.Client;

namespace Corelift.Cli.Input;

/// <summary>The options that say how to reach the agent and who one is; each can stand in the environment instead.</summary>
internal sealed class ConnectionArguments
{
    private static readonly AgentPlace s_usual = new(AgentAddress.Default);

    private readonly CliConsole _console;
    private readonly Option<AgentPlace> _agent;
    private readonly Option<string> _ca;
    private readonly Option<string> _certificate;
    private readonly Option<string> _key;
    private readonly Option<string> _serverName;
    private readonly Option<string> _tokenFile;
    private readonly Option<string> _reason;

    internal ConnectionArguments(CliConsole console)
    {
        _console = console;
        _agent = new Option<AgentPlace>("--agent")
        {
            Description = "Where the agent listens: unix:PATH, http://HOST:PORT or https://HOST:PORT; or in a cluster: node/NAME or pod/NAME; "
                + "environment: CORELIFT_AGENT",
            HelpName = "ADDRESS",
            Recursive = true,
            CustomParser = ValueParsers.Of("--agent", AgentPlace.Parse),
            DefaultValueFactory = result =>
            {
                try
                {
                    return console.Environment("CORELIFT_AGENT") is { Length: > 0 } text ? AgentPlace.Parse(text) : s_usual;
                }
                catch (FormatException problem)
                {
                    result.AddError($"CORELIFT_AGENT: {problem.Message}");
                    return s_usual;
                }
            },
        };
        _ca = Text("--ca", "FILE", "CAs that the agent's certificate must come from (PEM), for https", "CORELIFT_CA");
        _certificate = Text("--cert", "FILE", "Your certificate (PEM), for https", "CORELIFT_CERT");
        _key = Text("--key", "FILE", "Its private key (PEM), unless it stands in the same file", "CORELIFT_KEY");
        _serverName = Text("--server-name", "NAME", "Name in the agent's certificate, where it is not the address's host", "CORELIFT_SERVER_NAME");
        _tokenFile = Text("--token-file", "FILE", "Token to show to the agent, over https or a Unix socket", "CORELIFT_TOKEN_FILE");
        _reason = Text("--reason", "TEXT", "Why, for the agent's audit log; an agent's policy can ask for it", "CORELIFT_REASON");
    }

    internal IReadOnlyList<Option> Options => [_agent, _ca, _certificate, _key, _serverName, _tokenFile, _reason];

    /// <summary>Where the agent is: as the user says, else at the usual socket.</summary>
    internal AgentPlace Place(ParseResult arguments) => arguments.GetValue(_agent)!;

    /// <summary>Whether the user says where the agent is, by the option or by the variable.</summary>
    internal bool NamesAgent(ParseResult arguments) =>
        arguments.GetResult(_agent) is { Implicit: false } || _console.Environment("CORELIFT_AGENT") is { Length: > 0 };

    internal CoreliftClientOptions ToOptions(ParseResult arguments) => new()
    {
        CaFile = Find(arguments, _ca, "CORELIFT_CA"),
        CertificateFile = Find(arguments, _certificate, "CORELIFT_CERT"),
        KeyFile = Find(arguments, _key, "CORELIFT_KEY"),
        ServerName = Find(arguments, _serverName, "CORELIFT_SERVER_NAME"),
        TokenFile = Find(arguments, _tokenFile, "CORELIFT_TOKEN_FILE"),
        Reason = Find(arguments, _reason, "CORELIFT_REASON"),
        TraceParent = _console.Environment("TRACEPARENT"),
        TraceState = _console.Environment("TRACESTATE"),
    };

    private static Option<string> Text(string name, string helpName, string description, string variable) =>
        new(name) { Description = $"{description}; environment: {variable}", HelpName = helpName, Recursive = true };

    private string? Find(ParseResult arguments, Option<string> option, string variable) =>
        arguments.GetValue(option) ?? (_console.Environment(variable) is { Length: > 0 } value ? value : null);
}
