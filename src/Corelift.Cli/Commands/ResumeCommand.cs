using System.CommandLine;
using Corelift.Client;

namespace Corelift.Cli.Commands;

/// <summary>corelift resume</summary>
internal static class ResumeCommand
{
    internal static Command Create()
    {
        var lease = new Argument<string>("LEASE") { Description = "What 'corelift stop' printed" };
        var command = new Command("resume", "End a lease: the process runs again.") { lease };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            async token =>
            {
                await using CoreliftClient client = Arguments.Connect(parsed);
                TimeSpan stopped = await client.ResumeAsync(parsed.GetValue(lease)!, token);
                if (parsed.GetValue(Arguments.Json))
                {
                    JsonOutput.Print(writer => writer.WriteNumber("stopped_us", (long)stopped.TotalMicroseconds));
                }
                else
                {
                    Console.Out.WriteLine($"it runs again; it was stopped for {TerminalText.Time(stopped)}");
                }

                return ExitCodes.Ok;
            },
            cancellation));
        return command;
    }
}
