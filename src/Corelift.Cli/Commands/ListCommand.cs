using System.CommandLine;
using System.Globalization;
using Corelift.Cli.Output;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift ps</summary>
internal static class ListCommand
{
    private static readonly Tables.Column[] s_columns =
        [new("PID", true), new("UID", true), new("THREADS", true), new("MEMORY", true), new("S"), new("CONTAINER"), new("NAME"), new("COMMAND")];

    private static readonly Tables.Column[] s_podColumns =
        [new("PID", true), new("UID", true), new("THREADS", true), new("MEMORY", true), new("S"), new("POD"), new("CONTAINER"), new("NAME"), new("COMMAND")];

    internal static Command Create(CommandFactory factory)
    {
        Option<string> name = new("--name") { Description = "Only processes with this name, or this executable" };
        Option<uint?> uid = new("--uid") { Description = "Only processes of this user id" };
        Option<string> space = new("--namespace", "-n") { Description = "Only processes in pods of this Kubernetes namespace" };
        Option<string> pod = new("--pod") { Description = "Only processes in the pod of this name; needs --namespace" };
        Option<string> container = new("--container")
        {
            Description = "With --pod, only processes in the container of this name; without, those whose container id begins so (8 to 64 hexadecimal digits)",
        };
        Option<uint[]> pids = new("--pid") { Description = "Only this process; may be repeated", AllowMultipleArgumentsPerToken = true };
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "ps",
            "Lists processes, kernel threads left out. Touches nobody.",
            (session, cancellation) =>
            {
                ListProcessesRequest filter = new() { Name = session.Get(name) ?? "", Namespace = session.Get(space) ?? "", Pod = session.Get(pod) ?? "" };
                if (filter.Pod.Length > 0 && filter.Namespace.Length == 0)
                {
                    throw new UsageException("--pod needs --namespace: pods of several namespaces can have one name");
                }

                _ = filter.Pod.Length > 0 ? filter.Container = session.Get(container) ?? "" : filter.ContainerId = session.Get(container) ?? "";
                filter.Pids.AddRange(session.Get(pids) ?? []);
                if (session.Get(uid) is { } user)
                {
                    filter.Uid = user;
                }

                return RunAsync(session, filter, session.Get(json), cancellation);
            },
            "corelift ps",
            "corelift ps --name postgres",
            "corelift ps --uid 1000 --json",
            "corelift ps -n shop --pod web-7d9f --container app");
        command.Add(name);
        command.Add(uid);
        command.Add(space);
        command.Add(pod);
        command.Add(container);
        command.Add(pids);
        command.Add(json);
        return command;
    }

    private static async Task<int> RunAsync(CliSession session, ListProcessesRequest filter, bool json, CancellationToken cancellation)
    {
        List<ProcessSummary> processes = [];
        await foreach (ProcessSummary process in session.Client.ListProcessesAsync(filter, cancellation))
        {
            processes.Add(process);
        }

        if (json)
        {
            JsonOutput.Print(session.Console.Out, writer =>
            {
                writer.WriteStartArray("processes");
                foreach (ProcessSummary process in processes)
                {
                    writer.WriteStartObject();
                    ProcessJson.WriteSummary(writer, process);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            });
        }
        else
        {
            bool showsPods = filter.Namespace.Length > 0;
            Tables.Print(session.Console, showsPods ? s_podColumns : s_columns, processes.Select(process => ToRow(process, showsPods)));
        }

        return ExitCode.Ok;
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
