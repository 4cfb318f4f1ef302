using System.Runtime.InteropServices;
using Corelift.Benchmarks;
using Corelift.Benchmarks.Page;

const int Reached = 0, Missed = 1, Usage = 2, Failed = 3, Interrupted = 130;
const string Quick = "--quick";

(string Name, Func<BenchmarkRun, Task> RunAsync)[] groups =
[
    ("pause", CaptureGroups.PauseAsync),
    ("threads", CaptureGroups.ThreadsAsync),
    ("dirty", CaptureGroups.DirtyAsync),
    ("steady", SteadyBenchmark.RunAsync),
    ("streaming", StreamingBenchmark.RunAsync),
    ("redis", RedisBenchmark.RunAsync),
    ("memory", MemoryBenchmark.RunAsync),
    ("compression", CompressionBenchmark.RunAsync),
    ("sealing", SealingBenchmark.RunAsync),
    ("load", LoadBenchmark.RunAsync),
    ("soak", SoakBenchmark.RunAsync),
];
string[] chosen = [.. args.Where(word => word != Quick)];
if (chosen.Except(groups.Select(group => group.Name)).Any())
{
    await Console.Error.WriteLineAsync($"usage: ./run bench [{Quick}] [{string.Join('|', groups.Select(group => group.Name))}] ...");
    return Usage;
}

// Only a whole run is the record.
bool record = args.Length == 0;
DirectoryInfo page = Directory.CreateDirectory(Path.Combine(Artifacts.Root, record ? "tests/Corelift.Benchmarks" : "artifacts/bench"));

// Whoever interrupts leaves no core, no target and no agent behind: the token unwinds everything that is disposed of below.
using CancellationTokenSource interruption = new();
using PosixSignalRegistration onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using PosixSignalRegistration onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
using BenchmarkRun run = new(args.Contains(Quick), page, interruption.Token);
run.Facts = await Machine.DescribeAsync(run);
foreach ((string name, Func<BenchmarkRun, Task> runAsync) in groups.Where(group => chosen.Length == 0 ? group.Name != "soak" : chosen.Contains(group.Name)))
{
    if (!await TryGroupAsync(name, runAsync))
    {
        return Interrupted;
    }
}

run.WritePage();
Console.Write(ResultsPage.ToMarkdown(run));
Console.Error.WriteLine($"written to {Path.GetRelativePath(Artifacts.Root, page.FullName)}/{ResultsPage.Name}");
return run.AnythingFailed ? Failed : run.Figures().All(figure => figure.Verdict == true) ? Reached : Missed;

async Task<bool> TryGroupAsync(string name, Func<BenchmarkRun, Task> runAsync)
{
    try
    {
        run.Say("== " + name);
        await runAsync(run);
    }
    catch (Exception) when (interruption.IsCancellationRequested)
    {
        return false;
    }
    catch (Exception failure)
    {
        run.Failures.Add($"{name}: {failure.Message.OneLine()}");
        run.Say($"{name} failed: {failure}");
    }

    run.WritePage();
    return true;
}

void Interrupt(PosixSignalContext context)
{
    context.Cancel = true;
    interruption.Cancel();
}
