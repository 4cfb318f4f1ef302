using System.CommandLine;
using System.Globalization;
using Corelift.Client;
using Corelift.V1;
using Spectre.Console;

namespace Corelift.Cli.Commands;

/// <summary>corelift plan</summary>
internal static class PlanCommand
{
    internal static Command Create()
    {
        Argument<string> target = Arguments.Target();
        Option<Strategy> strategy = Arguments.StrategyOption();
        Option<Content> content = Arguments.ContentOption();
        Option<TimeSpan?> budget = Arguments.Time("--stop-budget", "Longest time the process may be stopped (500ms, 2s)");
        var command = new Command("plan", "Say what a snapshot would do and cost, without touching the process.") { target, strategy, content, budget };
        command.SetAction((parsed, cancellation) => Failures.GuardAsync(
            async token =>
            {
                await using CoreliftClient client = Arguments.Connect(parsed);
                ProcessRef found = await TargetFinder.FindAsync(client, parsed.GetValue(target)!, token);
                PlanResponse answer = await client.PlanAsync(
                    new SnapshotRequest
                    {
                        Target = found,
                        Strategy = parsed.GetValue(strategy),
                        Content = parsed.GetValue(content),
                        StopBudget = parsed.GetValue(budget),
                    },
                    token);
                if (parsed.GetValue(Arguments.Json))
                {
                    Console.Out.WriteLine(Google.Protobuf.JsonFormatter.Default.Format(answer));
                }
                else
                {
                    Print(answer);
                }

                return ExitCodes.Ok;
            },
            cancellation));
        return command;
    }

    private static void Print(PlanResponse answer)
    {
        CapturePlan plan = answer.Plan;
        CaptureBytes bytes = plan.Bytes ?? new CaptureBytes();
        Table table = Tables.Create("", "");
        table.HideHeaders();
        void Row(string name, string value) => Tables.AddRow(table, name, value);
        Row("process", string.Create(CultureInfo.InvariantCulture, $"{answer.Process.Summary.Ref.Pid} {answer.Process.Summary.Name}: {plan.ThreadCount} threads, {plan.VmaCount} VMAs"));
        Row("strategy", plan.Strategy.ToString().ToLowerInvariant());
        foreach (string reason in plan.Reasons)
        {
            Row("", reason);
        }

        Row("pause", "about " + TerminalText.Time(plan.EstimatedPause?.ToTimeSpan() ?? default));
        Row("memory", $"{TerminalText.Bytes(bytes.TotalBytes)}: {TerminalText.Bytes(bytes.AnonymousBytes)} anonymous, {TerminalText.Bytes(bytes.FileBytes)} of files, {TerminalText.Bytes(bytes.SharedBytes)} shared");
        foreach (string warning in plan.Warnings)
        {
            Row("warning", warning);
        }

        Tables.Print(table);
    }
}
