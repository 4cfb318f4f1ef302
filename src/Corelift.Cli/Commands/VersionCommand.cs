using System.CommandLine;
using Corelift.Client;

namespace Corelift.Cli.Commands;

/// <summary>corelift version</summary>
internal static class VersionCommand
{
    internal static Command Create()
    {
        var command = new Command("version", "Print the version of this program, and of the agent where one answers.");
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            async token =>
            {
                string? agent = await AskAgentAsync(parsed, token);
                if (parsed.GetValue(Arguments.Json))
                {
                    JsonOutput.Print(writer =>
                    {
                        writer.WriteString("corelift", ClientVersion.Text);
                        writer.WriteString("agent", agent);
                    });
                }
                else
                {
                    Console.Out.WriteLine($"corelift {ClientVersion.Text}");
                    Console.Out.WriteLine($"agent    {TerminalText.Escape(agent ?? "none answers")}");
                }

                return ExitCodes.Ok;
            },
            cancellation));
        return command;
    }

    private static async Task<string?> AskAgentAsync(ParseResult parsed, CancellationToken cancellation)
    {
        try
        {
            await using CoreliftClient client = Arguments.Connect(parsed);
            AgentHealth health = await client.CheckHealthAsync(cancellation);
            return health.Version ?? "of unknown version";
        }
        catch (AgentException)
        {
            return null;
        }
    }
}
