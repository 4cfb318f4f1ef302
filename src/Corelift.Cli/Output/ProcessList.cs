using System.Globalization;
using System.Text.Json;
using Corelift.Cli.Cluster;
using Corelift.V1;

namespace Corelift.Cli.Output;

/// <summary>Prints lists of processes: of one agent, or of the agents of several nodes.</summary>
internal static class ProcessList
{
    private static readonly Tables.Column[] s_first = [new("PID", true), new("UID", true), new("THREADS", true), new("MEMORY", true), new("S")];
    private static readonly Tables.Column[] s_last = [new("NAME"), new("COMMAND")];
    private static readonly Tables.Column[] s_columns = [.. s_first, new("CONTAINER"), .. s_last];
    private static readonly Tables.Column[] s_podColumns = [.. s_first, new("POD"), new("CONTAINER"), .. s_last];
    private static readonly Tables.Column[] s_nodeColumns = [new("NODE"), .. s_podColumns];

    /// <summary>Processes of one agent.</summary>
    internal static void Print(CliSession session, IReadOnlyList<ProcessSummary> processes, bool showsPods, bool json)
    {
        if (json)
        {
            JsonOutput.Print(session.Console.Out, writer =>
            {
                writer.WriteStartArray("processes");
                processes.ToList().ForEach(process => Write(writer, process, node: null));
                writer.WriteEndArray();
            });
        }
        else
        {
            Tables.Print(session.Console, showsPods ? s_podColumns : s_columns, processes.Select(process => ToRow(process, showsPods)));
        }
    }

    /// <summary>Processes of several nodes. What could not be asked goes to standard error, and with JSON into the object, too.</summary>
    internal static void Print(CliSession session, NodeAnswer[] answers, bool json)
    {
        NodeAnswer[] failed = [.. answers.Where(answer => answer.Problem is not null)];
        foreach (NodeAnswer answer in failed)
        {
            session.PrintError($"corelift: node {answer.Node}: {answer.Problem}");
        }

        if (!json)
        {
            Tables.Print(session.Console, s_nodeColumns, answers.SelectMany(answer => answer.Processes.Select(process => (string[])[answer.Node, .. ToRow(process, showsPods: true)])));
            return;
        }

        JsonOutput.Print(session.Console.Out, writer =>
        {
            writer.WriteStartArray("processes");
            foreach (NodeAnswer answer in answers)
            {
                answer.Processes.ToList().ForEach(process => Write(writer, process, answer.Node));
            }

            writer.WriteEndArray();
            writer.WriteStartArray("problems");
            foreach (NodeAnswer answer in failed)
            {
                writer.WriteStartObject();
                writer.WriteString("node", answer.Node);
                writer.WriteString("problem", answer.Problem);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        });
    }

    private static void Write(Utf8JsonWriter writer, ProcessSummary process, string? node)
    {
        writer.WriteStartObject();
        if (node is not null)
        {
            writer.WriteString("node", node);
        }

        ProcessJson.WriteSummary(writer, process);
        writer.WriteEndObject();
    }

    private static string[] ToRow(ProcessSummary process, bool showsPods) =>
    [
        Number(process.Ref?.Pid ?? 0),
        Number(process.Uid),
        Number(process.ThreadCount),
        Units.Size(process.ResidentBytes),
        process.State,
        .. showsPods
            ? (string[])[process.Pod?.Pod ?? "", process.Pod?.Container ?? ""]
            : [process.ContainerId.Length > 12 ? process.ContainerId[..12] : process.ContainerId],
        process.Name,
        string.Join(' ', process.CommandLine),
    ];

    private static string Number(uint value) => value.ToString(CultureInfo.InvariantCulture);
}
