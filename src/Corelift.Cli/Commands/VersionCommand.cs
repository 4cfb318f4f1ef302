using System.CommandLine;
using Corelift.Cli.Cluster;
using Corelift.Cli.Output;
using Corelift.Client;

namespace Corelift.Cli.Commands;

/// <summary>corelift version</summary>
internal static class VersionCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "version",
            "Prints the version of this program and, where one answers, of the agent.",
            async (session, cancellation) =>
            {
                AgentHealth? health = null;
                string problem = "";
                try
                {
                    health = await (await session.ClientAsync(cancellation)).CheckHealthAsync(cancellation);
                }
                catch (Exception failure) when (failure is AgentException or ClusterException)
                {
                    problem = ClusterFailures.Describe(failure).Message;
                }

                if (session.Get(json))
                {
                    PrintJson(session, health, problem);
                }
                else
                {
                    session.Print($"corelift {ClientVersion.Text}");
                    session.Print($"agent    {Describe(health, session.Place.Text, problem)}");
                }

                return ExitCode.Ok;
            },
            "corelift version");
        command.Add(json);
        return command;
    }

    private static string Describe(AgentHealth? health, string address, string problem) => health is null
        ? problem
        : $"{health.Version ?? "of unknown version"} at {address}, {(health.IsServing ? "serving" : "not serving")}";

    private static void PrintJson(CliSession session, AgentHealth? health, string problem) =>
        JsonOutput.Print(session.Console.Out, writer =>
        {
            writer.WriteString("client", ClientVersion.Text);
            writer.WriteString("address", session.Place.Text);
            writer.WriteBoolean("reachable", health is not null);
            writer.WriteBoolean("serving", health?.IsServing ?? false);
            writer.WriteString("agent", health?.Version);
            if (health is null)
            {
                writer.WriteString("problem", problem);
            }
        });
}
