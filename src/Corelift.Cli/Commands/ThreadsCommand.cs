using System.CommandLine;
using System.Globalization;
using Corelift.Cli.Cluster;
using Corelift.Cli.Input;
using Corelift.Cli.Output;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift threads PID, or --lease LEASE</summary>
internal static class ThreadsCommand
{
    private static readonly Tables.Column[] s_runningColumns =
        [new("TID", true), new("S"), new("CPU", true), new("USER", true), new("SYSTEM", true), new("WAITS IN"), new("NAME")];

    private static readonly Tables.Column[] s_stoppedColumns =
        [new("TID", true), new("STOPPED AFTER", true), new("RIP"), new("RSP"), new("RBP"), new("REGISTER SETS"), new("NAME")];

    internal static Command Create(CommandFactory factory)
    {
        Argument<string?> target = new("PID")
        {
            Description = $"A process id, a name that one process has, or {PodTarget.Form}; none with --lease",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<string?> lease = new("--lease") { Description = "Threads of a target that 'corelift stop' holds, with registers", HelpName = "LEASE" };
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "threads",
            "Lists the threads of a process while it runs, or with their registers while it is stopped.",
            (session, cancellation) => (session.Get(target), session.Get(lease)) switch
            {
                ({ } pid, null) => ListRunningAsync(session, pid, session.Get(json), cancellation),
                (null, { } id) => ListStoppedAsync(session, id, session.Get(json), cancellation),
                _ => throw new UsageException("say either which process, or which lease"),
            },
            "corelift threads 1234",
            "corelift threads --lease 5f2c9a --json");
        command.Add(target);
        command.Add(lease);
        command.Add(json);
        return command;
    }

    private static async Task<int> ListRunningAsync(CliSession session, string target, bool json, CancellationToken cancellation)
    {
        ProcessRef found = await TargetResolver.ResolveAsync(session, target, cancellation);
        CoreliftClient client = await session.ClientAsync(cancellation);
        List<V1.Thread> threads = await client.ListThreadsAsync(found, cancellation).ToListAsync(cancellation);
        if (json)
        {
            ThreadJson.PrintRunning(session.Console.Out, threads);
            return ExitCode.Ok;
        }

        Tables.Print(session.Console, s_runningColumns, threads.Select(thread => new[]
        {
            Number(thread.Tid),
            thread.State,
            Number(thread.Cpu),
            Units.Time(ThreadJson.FromMicroseconds(thread.UserTimeUs)),
            Units.Time(ThreadJson.FromMicroseconds(thread.SystemTimeUs)),
            thread.WaitChannel,
            thread.Name,
        }));
        return ExitCode.Ok;
    }

    private static async Task<int> ListStoppedAsync(CliSession session, string lease, bool json, CancellationToken cancellation)
    {
        CoreliftClient client = await session.ClientAsync(cancellation);
        List<StoppedThread> threads = await client.ReadRegistersAsync(lease, null, cancellation).ToListAsync(cancellation);
        if (json)
        {
            ThreadJson.PrintStopped(session.Console.Out, threads);
            return ExitCode.Ok;
        }

        Tables.Print(session.Console, s_stoppedColumns, threads.Select(thread =>
        {
            GeneralRegisters registers = GeneralRegisters.Of(thread);
            return new[]
            {
                Number(thread.Tid),
                Units.Time(Units.FromWire(thread.StoppedAfter) ?? TimeSpan.Zero),
                registers.Hex("rip"),
                registers.Hex("rsp"),
                registers.Hex("rbp"),
                string.Join(' ', thread.RegisterSets.Select(set => GeneralRegisters.SetName(set.NoteType))),
                thread.Name,
            };
        }));
        return ExitCode.Ok;
    }

    private static string Number(uint value) => value.ToString(CultureInfo.InvariantCulture);
}
