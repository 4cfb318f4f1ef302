using System.CommandLine;
using System.Globalization;
using Corelift.Client;
using Corelift.V1;
using Spectre.Console;

namespace Corelift.Cli.Commands;

/// <summary>corelift inspect</summary>
internal static class InspectCommand
{
    internal static Command Create()
    {
        Argument<string> target = Arguments.Target();
        var vmas = new Option<bool>("--vmas") { Description = "List the VMAs, too" };
        var command = new Command("inspect", "Describe a process without touching it.") { target, vmas };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            async token =>
            {
                await using CoreliftClient client = Arguments.Connect(parsed);
                ProcessRef found = await TargetFinder.FindAsync(client, parsed.GetValue(target)!, token);
                Process process = await client.GetProcessAsync(found, token);
                if (parsed.GetValue(Arguments.Json))
                {
                    Console.Out.WriteLine(Google.Protobuf.JsonFormatter.Default.Format(process));
                }
                else
                {
                    Print(process);
                }

                if (parsed.GetValue(vmas))
                {
                    await PrintVmasAsync(client, process.Summary.Ref, token);
                }

                return ExitCodes.Ok;
            },
            cancellation));
        return command;
    }

    private static void Print(Process process)
    {
        ProcessSummary summary = process.Summary;
        MemoryUsage memory = process.Memory ?? new MemoryUsage();
        Table table = Tables.Create("", "");
        table.HideHeaders();
        void Row(string name, string value) => Tables.AddRow(table, name, value);
        Row("process", string.Create(CultureInfo.InvariantCulture, $"{summary.Ref.Pid} {summary.Name} (state {summary.State}, parent {process.ParentPid})"));
        Row("command", string.Join(' ', summary.CommandLine));
        Row("executable", process.Executable + (process.BuildId.Length > 0 ? $" (build-id {process.BuildId})" : ""));
        Row("started", summary.StartedAt?.ToDateTimeOffset().ToString("u", CultureInfo.InvariantCulture) ?? "");
        Row("identity", string.Create(CultureInfo.InvariantCulture, $"pid {summary.Ref.Pid}, start {summary.Ref.StartTimeTicks} ticks after boot"));
        Row("uid, gid", string.Create(CultureInfo.InvariantCulture, $"{summary.Uid} (effective {process.EffectiveUid}), {process.Gid}"));
        Row("threads", summary.ThreadCount.ToString(CultureInfo.InvariantCulture));
        Row("memory", $"{TerminalText.Bytes(memory.ResidentBytes)} resident: {TerminalText.Bytes(memory.AnonymousBytes)} anonymous, {TerminalText.Bytes(memory.FileBytes)} file, {TerminalText.Bytes(memory.SharedBytes)} shared; {TerminalText.Bytes(memory.SwappedBytes)} swapped");
        Row("address space", $"{TerminalText.Bytes(memory.VirtualBytes)} in {memory.VmaCount} VMAs, {TerminalText.Bytes(memory.PageTableBytes)} of page tables");
        Row("container", summary.ContainerId.Length > 0 ? summary.ContainerId : "none");
        Row("cgroup", process.Cgroup);
        Row("seccomp", process.Seccomp.ToString().ToLowerInvariant());
        Row("dumpable", process.Dumpable ? "yes" : "no");
        Row("runtime", process.Runtime.Length > 0 ? process.Runtime : "native");
        Row("traced by", process.Tracer is null ? "nobody" : $"{process.Tracer.Name} (pid {process.Tracer.Pid})");
        Tables.Print(table);
    }

    private static async Task PrintVmasAsync(CoreliftClient client, ProcessRef target, CancellationToken cancellation)
    {
        Table table = Tables.Create("START", "END", "PERM", "RSS", "SWAP", "FLAGS", "NAME");
        await foreach (Vma vma in client.ListVmasAsync(target, details: true, cancellation))
        {
            Tables.AddRow(
                table, $"{vma.Range.Start:x12}", $"{vma.Range.End:x12}", vma.Permissions, TerminalText.Bytes(vma.ResidentBytes),
                TerminalText.Bytes(vma.SwappedBytes), string.Join(' ', vma.KernelFlags), vma.Name);
        }

        Tables.Print(table);
    }
}
