using System.Text.Json;
using Corelift.V1;

namespace Corelift.Cli.Output;

/// <summary>Threads as JSON.</summary>
internal static class ThreadJson
{
    internal static TimeSpan FromMicroseconds(ulong microseconds) =>
        TimeSpan.FromMicroseconds((double)Math.Min(microseconds, 1UL << 50));

    internal static void PrintRunning(TextWriter output, IEnumerable<V1.Thread> threads) => Print(output, threads, (writer, thread) =>
    {
        writer.WriteNumber("tid", thread.Tid);
        writer.WriteString("name", thread.Name);
        writer.WriteString("state", thread.State);
        writer.WriteString("wait_channel", thread.WaitChannel);
        writer.WriteNumber("cpu", thread.Cpu);
        writer.WriteNumber("user_time_us", thread.UserTimeUs);
        writer.WriteNumber("system_time_us", thread.SystemTimeUs);
    });

    internal static void PrintStopped(TextWriter output, IEnumerable<StoppedThread> threads) => Print(output, threads, (writer, thread) =>
    {
        writer.WriteNumber("tid", thread.Tid);
        writer.WriteString("name", thread.Name);
        writer.WriteMicroseconds("stopped_after_us", Units.FromWire(thread.StoppedAfter));
        writer.WriteNumber("current_signal", thread.CurrentSignal);
        writer.WriteHex("pending_signals", thread.PendingSignals);
        writer.WriteHex("blocked_signals", thread.BlockedSignals);
        writer.WriteStartObject("registers");
        GeneralRegisters registers = GeneralRegisters.Of(thread);
        foreach (string name in GeneralRegisters.Names)
        {
            if (registers[name] is { } value)
            {
                writer.WriteHex(name, value);
            }
        }

        writer.WriteEndObject();
        writer.WriteStartArray("register_sets");
        foreach (RegisterSet set in thread.RegisterSets)
        {
            writer.WriteStartObject();
            writer.WriteNumber("note_type", set.NoteType);
            writer.WriteString("data", Convert.ToHexStringLower(set.Data.Span));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    });

    private static void Print<T>(TextWriter output, IEnumerable<T> threads, Action<Utf8JsonWriter, T> members) =>
        JsonOutput.Print(output, writer =>
        {
            writer.WriteStartArray("threads");
            foreach (T thread in threads)
            {
                writer.WriteStartObject();
                members(writer, thread);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        });
}
