using System.CommandLine;
using System.Globalization;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift stop</summary>
internal static class StopCommand
{
    internal static Command Create()
    {
        Argument<string> target = Arguments.Target();
        Option<TimeSpan?> ttl = Arguments.Time("--ttl", "Time after which it runs again by itself (5s)");
        Option<TimeSpan?> budget = Arguments.Time("--stop-budget", "Longest time that stopping all threads may take (2s)");
        var hold = new Option<bool>("--hold") { Description = "Keep it stopped until Ctrl-C, or until the agent's maximum" };
        var command = new Command("stop", "Stop a process under a lease, and print the lease.") { target, ttl, budget, hold };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            async token =>
            {
                await using CoreliftClient client = Arguments.Connect(parsed);
                ProcessRef found = await TargetFinder.FindAsync(client, parsed.GetValue(target)!, token);
                bool holds = parsed.GetValue(hold);
                await using StopLease lease = await client.StopAsync(
                    found, parsed.GetValue(ttl), parsed.GetValue(budget), resumeOnDisconnect: holds, token);
                Print(lease, parsed.GetValue(Arguments.Json));
                if (holds)
                {
                    await HoldAsync(lease, token);
                }
                else
                {
                    lease.Abandon();
                }

                return ExitCodes.Ok;
            },
            cancellation));
        return command;
    }

    private static async Task HoldAsync(StopLease lease, CancellationToken cancellation)
    {
        try
        {
            await lease.HoldAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            // Ctrl-C is how holding ends.
        }

        TimeSpan stopped = await lease.ResumeAsync(CancellationToken.None);
        Console.Error.WriteLine($"it runs again; it was stopped for {TerminalText.Time(stopped)}");
    }

    private static void Print(StopLease lease, bool json)
    {
        if (json)
        {
            JsonOutput.Print(writer =>
            {
                writer.WriteString("lease", lease.Id);
                writer.WriteNumber("pid", lease.Target.Pid);
                writer.WriteNumber("threads", lease.ThreadCount);
                writer.WriteNumber("skew_us", (long)lease.Skew.TotalMicroseconds);
                writer.WriteNumber("time_to_live_ms", (long)lease.TimeToLive.TotalMilliseconds);
            });
            return;
        }

        Console.Out.WriteLine(lease.Id);
        Console.Error.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{lease.Target.Pid} is stopped: {lease.ThreadCount} threads, skew {TerminalText.Time(lease.Skew)}; it runs again in {TerminalText.Time(lease.TimeToLive)}, or by 'corelift resume'"));
    }
}
