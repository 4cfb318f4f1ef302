using System.CommandLine;
using Corelift.Cli.Output;

namespace Corelift.Cli.Commands;

/// <summary>corelift resume LEASE</summary>
internal static class ResumeCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Argument<string> lease = new("LEASE") { Description = "The lease that 'corelift stop' printed" };
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "resume",
            "Ends a lease: the process runs again.",
            async (session, cancellation) =>
            {
                TimeSpan stoppedFor = await (await session.ClientAsync(cancellation)).ResumeAsync(session.Get(lease)!, cancellation);
                if (session.Get(json))
                {
                    JsonOutput.Print(session.Console.Out, writer => writer.WriteMicroseconds("stopped_for_us", stoppedFor));
                }
                else
                {
                    session.Print($"resumed after {Units.Time(stoppedFor)}");
                }

                return ExitCode.Ok;
            },
            "corelift resume 5f2c9a");
        command.Add(lease);
        command.Add(json);
        return command;
    }
}
