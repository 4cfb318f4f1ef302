using System.CommandLine;
using Corelift.Client;
using Corelift.V1;
using Spectre.Console;

namespace Corelift.Cli.Commands;

/// <summary>corelift ps</summary>
internal static class PsCommand
{
    internal static Command Create()
    {
        var name = new Option<string?>("--name") { Description = "Only processes of this name", HelpName = "NAME" };
        var uid = new Option<uint?>("--uid") { Description = "Only processes of this real uid" };
        var container = new Option<string?>("--container") { Description = "Only processes of the container whose id starts so", HelpName = "ID" };
        var pids = new Option<uint[]>("--pid") { Description = "Only these pids", AllowMultipleArgumentsPerToken = true };
        var command = new Command("ps", "List the processes that the agent sees.") { name, uid, container, pids };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            async token =>
            {
                await using CoreliftClient client = Arguments.Connect(parsed);
                var filter = new ListProcessesRequest { Name = parsed.GetValue(name) ?? "", ContainerId = parsed.GetValue(container) ?? "" };
                filter.Pids.AddRange(parsed.GetValue(pids) ?? []);
                if (parsed.GetValue(uid) is { } wanted)
                {
                    filter.Uid = wanted;
                }

                var processes = new List<ProcessSummary>();
                await foreach (ProcessSummary process in client.ListProcessesAsync(filter, token))
                {
                    processes.Add(process);
                }

                Print(processes, parsed.GetValue(Arguments.Json));
                return ExitCodes.Ok;
            },
            cancellation));
        return command;
    }

    private static void Print(List<ProcessSummary> processes, bool json)
    {
        if (json)
        {
            var all = new ListProcessesResponse();
            all.Processes.AddRange(processes);
            Console.Out.WriteLine(Google.Protobuf.JsonFormatter.Default.Format(all));
            return;
        }

        Table table = Tables.Create("PID", "UID", "THREADS", "RSS", "STATE", "CONTAINER", "COMMAND");
        foreach (ProcessSummary p in processes)
        {
            string command = p.CommandLine.Count == 0 ? $"[{p.Name}]" : string.Join(' ', p.CommandLine);
            Tables.AddRow(
                table, $"{p.Ref.Pid}", $"{p.Uid}", $"{p.ThreadCount}", TerminalText.Bytes(p.ResidentBytes), p.State,
                p.ContainerId.Length > 12 ? p.ContainerId[..12] : p.ContainerId, command.Length > 120 ? command[..120] + "..." : command);
        }

        Tables.Print(table);
    }
}
