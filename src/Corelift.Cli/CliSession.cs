using System.CommandLine;
using Corelift.Cli.Output;
using Corelift.Client;

namespace Corelift.Cli;

/// <summary>One run of one command: its arguments, the console, and the agent, connected on first use.</summary>
internal sealed class CliSession(ParseResult arguments, CliConsole console, Option<AgentAddress> agentOption, Option<string?> reasonOption) : IAsyncDisposable
{
    private CoreliftClient? _client;

    internal CliConsole Console { get; } = console;

    internal CoreliftClient Client => _client ??= CoreliftClient.Connect(
        Get(agentOption)!,
        new CoreliftClientOptions { Reason = Get(reasonOption), TraceParent = Console.Environment("TRACEPARENT"), TraceState = Console.Environment("TRACESTATE") });

    internal T? Get<T>(Option<T> option) => arguments.GetValue(option);

    internal T? Get<T>(Argument<T> argument) => arguments.GetValue(argument);

    /// <summary>Prints a line of text whose parts may come from a target or an agent.</summary>
    internal void Print(string line) => Console.Out.WriteLine(TerminalText.Escape(line));

    internal void PrintError(string line) => Console.Error.WriteLine(TerminalText.Escape(line));

    public async ValueTask DisposeAsync()
    {
        if (_client is not null)
        {
            await _client.DisposeAsync();
        }
    }
}
