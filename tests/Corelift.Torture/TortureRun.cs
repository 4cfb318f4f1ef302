using System.Diagnostics;
using Corelift.Torture.Targets;

namespace Corelift.Torture;

/// <summary>A run of cases: drawn ones, or one for each system call.</summary>
/// <param name="options">What was asked for.</param>
/// <param name="say">Takes lines for whoever watches.</param>
internal sealed class TortureRun(TortureOptions options, Action<string> say)
{
    private const int MostBeyond = 20; // the number of a session's calls varies
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(30);
    private readonly long _start = Stopwatch.GetTimestamp();
    private TimeSpan _said;

    /// <summary>Counts of it.</summary>
    internal Tally Tally { get; } = new();

    /// <summary>What went wrong, with the command that repeats it.</summary>
    internal List<string> Failures { get; } = [];

    private bool IsOver => Stopwatch.GetElapsedTime(_start) >= options.Duration || Tally.Cases >= options.MaxCases;

    /// <summary>Runs until the time is up, all is done or somebody cancels.</summary>
    internal async Task RunAsync(CancellationToken cancellation)
    {
        await using Workplace place = new();
        CaseRunner runner = new(place);
        if (options.EverySyscall)
        {
            await SweepAsync(runner, place, cancellation);
        }
        else
        {
            CaseChooser chooser = new(options);
            for (int number = 0; !IsOver && !cancellation.IsCancellationRequested; number++)
            {
                Note(await runner.RunAsync(chooser.Choose(number)));
            }
        }

        try
        {
            await place.EndAsync();
        }
        catch (TestingException failure)
        {
            Failures.Add($"at the end: {failure.Message}");
            say(Failures[^1]);
        }
    }

    private async Task SweepAsync(CaseRunner runner, Workplace place, CancellationToken cancellation)
    {
        TargetKind[] targets = [.. TargetList.All.Where(kind => options.Only.Contains(kind.Name))];
        Session[] sessions = [.. Enum.GetValues<Session>().Where(session => options.Only.Contains(session.ToString(), StringComparer.OrdinalIgnoreCase))];
        foreach (TargetKind target in targets.Length > 0 ? targets : [TargetList.Named("canary")])
        {
            foreach (Session session in sessions.Length > 0 ? sessions : Enum.GetValues<Session>())
            {
                TortureCase first = new(options.Seed, target, session, Fault.WorkerSyscall, 0, null);
                long syscalls = (await place.LengthAsync(first)).Syscalls;
                say($"{first.Name}: {syscalls} system calls");
                int beyond = 0;
                for (long number = options.Moment ?? 1; beyond < MostBeyond && !IsOver && !cancellation.IsCancellationRequested; number++)
                {
                    CaseReport report = await runner.RunAsync(first with { Seed = unchecked(options.Seed + (int)number), Moment = number });
                    beyond = report.Inflicted?.WasInTime == false ? beyond + 1 : 0;
                    Note(report);
                }
            }
        }
    }

    private void Note(CaseReport report)
    {
        Tally.Add(report);
        if (report.Failure is not null)
        {
            string text = $"FAILED {report.Case.Repeat(report.Moment)}\n  {report.Failure.ReplaceLineEndings("\n  ")}";
            Failures.Add(text);
            say(text);
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(_start);
        if (elapsed - _said > s_interval)
        {
            _said = elapsed;
            say($"{elapsed:hh\\:mm\\:ss} {Tally.Cases} cases, {Tally.Kills} kills, {Tally.Failures} failed");
        }
    }
}
