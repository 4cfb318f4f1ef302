using System.Buffers.Binary;
using System.CommandLine;
using System.Globalization;
using Corelift.Client;
using Corelift.V1;
using Spectre.Console;

namespace Corelift.Cli.Commands;

/// <summary>corelift threads</summary>
internal static class ThreadsCommand
{
    // user_regs_struct of x86-64, sys/user.h.
    private static readonly string[] s_registers =
    [
        "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs",
        "eflags", "rsp", "ss", "fs_base", "gs_base", "ds", "es", "fs", "gs",
    ];

    internal static Command Create()
    {
        var target = new Argument<string?>("PID|NAME") { Description = "A running process", Arity = ArgumentArity.ZeroOrOne };
        var lease = new Option<string?>("--lease") { Description = "A stopped process, with its registers", HelpName = "LEASE" };
        var command = new Command("threads", "List threads; of a stopped process with their registers.") { target, lease };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            async token =>
            {
                await using CoreliftClient client = Arguments.Connect(parsed);
                string? text = parsed.GetValue(target);
                string? id = parsed.GetValue(lease);
                if ((text is null) == (id is null))
                {
                    throw new UsageException("name one process, or a lease with --lease");
                }

                await (id is null
                    ? PrintRunningAsync(client, await TargetFinder.FindAsync(client, text!, token), parsed.GetValue(Arguments.Json), token)
                    : PrintStoppedAsync(client, id, parsed.GetValue(Arguments.Json), token));
                return ExitCodes.Ok;
            },
            cancellation));
        return command;
    }

    private static async Task PrintRunningAsync(CoreliftClient client, ProcessRef target, bool json, CancellationToken cancellation)
    {
        var all = new ListThreadsResponse();
        await foreach (V1.Thread thread in client.ListThreadsAsync(target, cancellation))
        {
            all.Threads.Add(thread);
        }

        if (json)
        {
            Console.Out.WriteLine(Google.Protobuf.JsonFormatter.Default.Format(all));
            return;
        }

        Table table = Tables.Create("TID", "STATE", "USER", "SYSTEM", "CPU", "WAITS IN", "NAME");
        foreach (V1.Thread t in all.Threads)
        {
            Tables.AddRow(
                table, $"{t.Tid}", t.State, TerminalText.Time(TimeSpan.FromMicroseconds(t.UserTimeUs)),
                TerminalText.Time(TimeSpan.FromMicroseconds(t.SystemTimeUs)), $"{t.Cpu}", t.WaitChannel, t.Name);
        }

        Tables.Print(table);
    }

    private static async Task PrintStoppedAsync(CoreliftClient client, string lease, bool json, CancellationToken cancellation)
    {
        await foreach (StoppedThread thread in client.ReadRegistersAsync(lease, cancellation: cancellation))
        {
            if (json)
            {
                Console.Out.WriteLine(Google.Protobuf.JsonFormatter.Default.Format(thread));
                continue;
            }

            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"thread {thread.Tid} {TerminalText.Escape(thread.Name)} stopped after {TerminalText.Time(thread.StoppedAfter?.ToTimeSpan() ?? default)}"));
            PrintRegisters(thread);
        }
    }

    private static void PrintRegisters(StoppedThread thread)
    {
        RegisterSet? set = thread.RegisterSets.FirstOrDefault(set => set.NoteType == 1);
        ReadOnlySpan<byte> general = set is null ? [] : set.Data.Span;
        for (int i = 0; i < s_registers.Length && (i + 1) * 8 <= general.Length; i++)
        {
            ulong value = BinaryPrimitives.ReadUInt64LittleEndian(general[(i * 8)..]);
            Console.Out.Write(string.Create(CultureInfo.InvariantCulture, $"  {s_registers[i],-8} 0x{value:x16}"));
            if (i % 3 == 2)
            {
                Console.Out.WriteLine();
            }
        }
    }
}
