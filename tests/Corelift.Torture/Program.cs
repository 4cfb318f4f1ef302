using System.Runtime.InteropServices;
using Corelift.Torture;

const int Passed = 0, Usage = 2, Failed = 1;
if (TortureOptions.Parse(args, out string problem) is not { } options)
{
    await Console.Error.WriteLineAsync($"{problem}\n{TortureOptions.Usage}");
    return Usage;
}

// Whoever interrupts leaves no target and no agent behind: the case that runs is ended first.
using CancellationTokenSource interruption = new();
using PosixSignalRegistration onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using PosixSignalRegistration onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
Console.WriteLine($"seed {options.Seed}");
TortureRun run = new(options, Console.WriteLine);
await run.RunAsync(interruption.Token);
Console.Write(run.Tally);
Console.WriteLine($"torture: {run.Tally.Cases} cases, {run.Tally.Kills} kills, {run.Tally.Failures} failed; seed {options.Seed}");
return run.Failures.Count == 0 ? Passed : Failed;

void Interrupt(PosixSignalContext context)
{
    context.Cancel = true;
    interruption.Cancel();
}
