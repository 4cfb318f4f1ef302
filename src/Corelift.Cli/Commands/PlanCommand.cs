using System.CommandLine;
using Corelift.Cli.Input;
using Corelift.Cli.Output;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli.Commands;

/// <summary>corelift plan PID</summary>
internal static class PlanCommand
{
    internal static Command Create(CommandFactory factory)
    {
        Argument<string> target = CommandFactory.Target();
        CaptureArguments capture = new();
        Option<bool> trackingRound = new("--tracking-round")
        {
            Description = "Measure how fast the process writes to its memory; stops one of its threads for less than a millisecond",
        };
        Option<bool> json = CommandFactory.Json();
        Command command = factory.Create(
            "plan",
            "Says what a snapshot would do and cost. Touches nobody, unless --tracking-round is given.",
            async (session, cancellation) =>
            {
                ProcessRef found = await TargetResolver.ResolveAsync(session, session.Get(target)!, cancellation);
                SnapshotRequest request = capture.ToRequest(session) with { Target = found };
                PlanResponse answer = await (await session.ClientAsync(cancellation)).PlanAsync(request, session.Get(trackingRound), cancellation);
                if (session.Get(json))
                {
                    JsonOutput.Print(session.Console.Out, writer =>
                    {
                        writer.WriteNumber("pid", answer.Process.Summary?.Ref?.Pid ?? 0);
                        writer.WriteString("name", answer.Process.Summary?.Name ?? "");
                        ProcessJson.Write(writer, answer.Plan);
                    });
                }
                else
                {
                    Print(session, answer);
                }

                return ExitCode.Ok;
            },
            "corelift plan 1234",
            "corelift plan postgres --strategy direct --content full",
            "corelift plan 1234 --tracking-round",
            "corelift plan pod/web-7d9f -n shop --service-account oncall --ca ca.crt");
        command.Add(target);
        capture.AddTo(command);
        command.Add(trackingRound);
        command.Add(json);
        return command;
    }

    private static void Print(CliSession session, PlanResponse answer)
    {
        CapturePlan plan = answer.Plan;
        CaptureBytes bytes = plan.Bytes ?? new CaptureBytes();
        Tables.PrintFacts(
            session.Console,
            ("process", $"{answer.Process.Summary?.Name} (pid {answer.Process.Summary?.Ref?.Pid}), "
                + $"{Units.Count(plan.ThreadCount, "thread")}, {Units.Count(plan.VmaCount, "VMA")}"),
            ("strategy", ProcessText.Of(plan.Strategy)),
            ("content", ProcessText.Of(plan.Content)),
            ("pause", Units.FromWire(plan.EstimatedPause) is { } pause ? $"about {Units.Time(pause)}" : "unknown"),
            ("memory", $"{Units.Size(bytes.TotalBytes)}: {Units.Size(bytes.AnonymousBytes)} anonymous, "
                + $"{Units.Size(bytes.FileBytes)} file, {Units.Size(bytes.SharedBytes)} shared"),
            ("copied in pause", bytes.PauseCopyBytes == 0 ? "" : Units.Size(bytes.PauseCopyBytes)),
            ("writes", plan.HasDirtyBytesPerSecond ? $"to {Units.Size(plan.DirtyBytesPerSecond)} of further memory a second" : ""));
        foreach (string reason in plan.Reasons)
        {
            session.Print($"because: {reason}");
        }

        foreach (string warning in plan.Warnings)
        {
            session.Print($"warning: {warning}");
        }
    }
}
