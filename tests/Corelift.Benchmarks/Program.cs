using System.Runtime.InteropServices;
using Corelift.Benchmarks;

const int Passed = 0, Missed = 1, Usage = 2, Broken = 3, Interrupted = 130;

(string Name, Func<BenchmarkRun, Task> RunAsync)[] groups =
[
    ("pause", PauseBenchmark.RunAsync),
    ("memory", MemoryBenchmark.RunAsync),
    ("compression", CompressionBenchmark.RunAsync),
];
string[] unknown = [.. args.Except(groups.Select(group => group.Name))];
if (unknown.Length > 0)
{
    await Console.Error.WriteLineAsync($"usage: ./run bench [{string.Join('|', groups.Select(group => group.Name))}] ...");
    return Usage;
}

// Whoever interrupts leaves no core, no target and no agent behind: the token unwinds everything that is disposed of below.
using CancellationTokenSource interruption = new();
using PosixSignalRegistration onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
using PosixSignalRegistration onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
using BenchmarkRun run = new(interruption.Token);
try
{
    foreach ((string name, Func<BenchmarkRun, Task> runAsync) in groups.Where(group => args.Length == 0 || args.Contains(group.Name)))
    {
        run.Say(name);
        await runAsync(run);
    }
}
catch (Exception) when (interruption.IsCancellationRequested)
{
    return Interrupted;
}
catch (Exception failure) when (failure is TestingException or Grpc.Core.RpcException or IOException)
{
    await Console.Error.WriteLineAsync($"bench: {failure.Message}");
    return Broken;
}

Report report = new(await Machine.DescribeAsync(run), run.Figures, run.Compression);
Console.Write(report.ToMarkdown());
if (args.Length == 0)
{
    string results = Path.Combine(Artifacts.Root, "tests/Corelift.Benchmarks/RESULTS.md");
    await File.WriteAllTextAsync(results, report.ToMarkdown());
    run.Say("written to tests/Corelift.Benchmarks/RESULTS.md");
}

return run.Figures.All(figure => figure.Passed) ? Passed : Missed;

void Interrupt(PosixSignalContext context)
{
    context.Cancel = true;
    interruption.Cancel();
}
