using System.CommandLine;
using System.Globalization;
using Corelift.Cli.Input;
using Corelift.Cli.Output;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift stop PID</summary>
internal static class StopCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Argument<string> target = CommandFactory.Target();
        Option<TimeSpan?> timeToLive = new("--ttl")
        {
            Description = "Time after which the agent resumes the target by itself; default: 5s",
            HelpName = "DURATION",
            CustomParser = ValueParsers.Of<TimeSpan?>("--ttl", text => ValueParsers.Duration(text)),
        };
        Option<bool> hold = new("--hold") { Description = "Keep it stopped until Ctrl-C, then resume it" };
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "stop",
            "Stops all threads of a process under a lease. It runs again when the lease ends, whatever becomes of this program.",
            async (session, cancellation) =>
            {
                ProcessRef found = await TargetResolver.ResolveAsync(session, session.Get(target)!, cancellation);
                bool isHeld = session.Get(hold);
                await using StopLease lease = await (await session.ClientAsync(cancellation)).StopAsync(
                    found, session.Get(timeToLive), resumeOnDisconnect: isHeld, cancellation: cancellation);
                Report(session, lease, session.Get(json));
                if (!isHeld)
                {
                    lease.Abandon();
                    return ExitCode.Ok;
                }

                await lease.HoldAsync(cancellation);
                TimeSpan stoppedFor = await lease.ResumeAsync(CancellationToken.None);
                session.PrintError($"resumed after {Units.Time(stoppedFor)}");
                return ExitCode.Ok; // Ctrl-C is how this is meant to end
            },
            "corelift stop 1234 --ttl 10s",
            "corelift stop postgres --hold",
            "corelift stop pod/web-7d9f/app -n shop --service-account oncall --ca ca.crt --ttl 10s");
        command.Add(target);
        command.Add(timeToLive);
        command.Add(hold);
        command.Add(json);
        return command;
    }

    private static void Report(CliSession session, StopLease lease, bool json)
    {
        if (json)
        {
            JsonOutput.Print(session.Console.Out, writer =>
            {
                writer.WriteString("lease", lease.Id);
                writer.WriteNumber("pid", lease.Target.Pid);
                writer.WriteNumber("threads", lease.ThreadCount);
                writer.WriteMicroseconds("skew_us", lease.Skew);
                writer.WriteNumber("ttl_ms", (long)lease.TimeToLive.TotalMilliseconds);
                writer.WriteNumber("max_hold_ms", (long)lease.MaxHold.TotalMilliseconds);
                writer.WriteBoolean("was_group_stopped", lease.WasGroupStopped);
                if (session.AgentHint.Length > 0)
                {
                    writer.WriteString("agent_options", session.AgentHint.TrimStart());
                }
            });
            return;
        }

        session.Print(string.Create(
            CultureInfo.InvariantCulture,
            $"pid {lease.Target.Pid}: {Units.Count(lease.ThreadCount, "thread")} stopped within {Units.Time(lease.Skew)}, "
            + $"for {Units.Time(lease.TimeToLive)} (at most {Units.Time(lease.MaxHold)})"));
        session.Print($"lease {lease.Id}");
        session.Print($"next: corelift threads --lease {lease.Id}{session.AgentHint}; corelift resume {lease.Id}{session.AgentHint}");
    }
}
