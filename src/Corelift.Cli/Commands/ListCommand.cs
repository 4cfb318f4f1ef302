using System.CommandLine;
using Corelift.Cli.Cluster;
using Corelift.Cli.Output;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift ps</summary>
internal static class ListCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Option<string> name = new("--name") { Description = "Only processes with this name, or this executable" };
        Option<uint?> uid = new("--uid") { Description = "Only processes of this user id" };
        Option<string> pod = new("--pod") { Description = "Only processes in the pod of this name; needs --namespace" };
        Option<string> container = new("--container")
        {
            Description = "With --pod, only processes in the container of this name; without, those whose container id begins so (8 to 64 hexadecimal digits)",
        };
        Option<uint[]> pids = new("--pid") { Description = "Only this process; may be repeated", AllowMultipleArgumentsPerToken = true };
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "ps",
            "Lists processes, kernel threads left out; with --namespace those in its pods, of all nodes unless --agent names one agent. Touches nobody.",
            (session, cancellation) =>
            {
                ListProcessesRequest filter = new() { Name = session.Get(name) ?? "", Namespace = session.Namespace ?? "", Pod = session.Get(pod) ?? "" };
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
            "corelift ps -n shop --service-account oncall --ca ca.crt",
            "corelift ps -n shop --pod web-7d9f --container app --agent https://host:7443");
        command.Add(name);
        command.Add(uid);
        command.Add(pod);
        command.Add(container);
        command.Add(pids);
        command.Add(json);
        return command;
    }

    private static async Task<int> RunAsync(CliSession session, ListProcessesRequest filter, bool json, CancellationToken cancellation)
    {
        if (filter.Namespace.Length > 0 && !session.NamesAgent)
        {
            NodeAnswer[] answers = await NamespaceList.AskAsync(session.Cluster, filter, cancellation);
            ProcessList.Print(session, answers, json);
            return answers.FirstOrDefault(answer => answer.Problem is not null)?.ExitCode ?? ExitCode.Ok;
        }

        CoreliftClient client = await session.ClientAsync(cancellation);
        List<ProcessSummary> processes = await client.ListProcessesAsync(filter, cancellation).ToListAsync(cancellation);
        ProcessList.Print(session, processes, showsPods: filter.Namespace.Length > 0, json);
        return ExitCode.Ok;
    }
}
