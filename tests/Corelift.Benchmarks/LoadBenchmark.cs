using System.Diagnostics;
using Corelift.V1;
using Grpc.Core;
using Grpc.Net.Client;
using Process = System.Diagnostics.Process;

namespace Corelift.Benchmarks;

/// <summary>
/// Much of one kind at once: captures, reserved address space, looks at processes. What of it is a bar stands in the figure;
/// threads and mappings by the ten thousand are in group <c>threads</c>.
/// </summary>
internal static class LoadBenchmark
{
    private const int Captures = 32, Processes = 2000, ListSeconds = 10;
    private static readonly TimeSpan s_firstByte = TimeSpan.FromSeconds(1), s_all = TimeSpan.FromSeconds(5);

    internal static async Task RunAsync(BenchmarkRun run)
    {
        await CapturesAtOnceAsync(run);
        await SparseAsync(run);
        await ListsAsync(run);
    }

    /// <summary>As many captures at once as the agent allows by default; each is whole, and each target unharmed.</summary>
    private static async Task CapturesAtOnceAsync(BenchmarkRun run)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        List<LiveProcess> targets = [];
        try
        {
            for (int i = 0; i < Captures; i++)
            {
                targets.Add(LiveProcess.Start("canary", "--mib", run.Quick ? "4" : "64", "--threads", "4"));
            }

            long began = Stopwatch.GetTimestamp();
            CaptureTrailer[] trailers = await Task.WhenAll(
                targets.Select(target => WireClient.CaptureAsync(agent, target, Strategy.Fork, Compression.None, default, run.Cancellation)));
            TimeSpan elapsed = Stopwatch.GetElapsedTime(began);
            foreach (LiveProcess target in targets)
            {
                await target.CheckAsync();
            }

            double bytes = trailers.Sum(trailer => (double)trailer.MemoryBytes);
            run.LoadFigures.Add(new Figure($"{Captures} captures at once, all whole", elapsed.Text(), bytes.Megabytes(), "all whole", true));
        }
        finally
        {
            targets.ForEach(target => target.Dispose());
        }
    }

    /// <summary>100 GB of address space of which a thousandth was touched: nothing is read, or made, that is not there.</summary>
    private static async Task SparseAsync(BenchmarkRun run)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        using LiveProcess target = LiveProcess.Start("reserved", "--gib", "100", "--pages", "1600");
        long before = Proc.StatusBytes(target.Pid, "VmRSS");
        CaptureRequest request = new()
        {
            Ref = new ProcessRef { Pid = (uint)target.Pid, StartTimeTicks = target.StartTime },
            Options = new CaptureOptions { Strategy = Strategy.Fork, Content = Content.Full },
        };
        using GrpcChannel channel = agent.Connect();
        long began = Stopwatch.GetTimestamp();
        using AsyncServerStreamingCall<CaptureResponse> call = new SnapshotService.SnapshotServiceClient(channel).Capture(request, cancellationToken: run.Cancellation);
        TimeSpan? first = null;
        bool isWhole = false;
        await foreach (CaptureResponse message in call.ResponseStream.ReadAllAsync(run.Cancellation))
        {
            first ??= message.Memory is null ? null : Stopwatch.GetElapsedTime(began);
            isWhole |= message.Trailer is not null;
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(began);
        double growth = Proc.StatusBytes(target.Pid, "VmRSS") - before;
        await target.CheckAsync();
        run.LoadFigures.Add(new Figure("100 GiB reserved, 1,600 pages touched: first byte", first.Text(), "", "within 1 s", first <= s_firstByte));
        run.LoadFigures.Add(new Figure("100 GiB reserved, 1,600 pages touched: all", elapsed.Text(), "", "within 5 s", isWhole && elapsed <= s_all));
        run.LoadFigures.Add(new Figure("100 GiB reserved: growth of the target", growth.Megabytes(), "", "at most 1 MB", growth <= 1e6));
    }

    /// <summary>Lists of processes on a host with 2,000 of them: one that names a process, and the first page of all.</summary>
    private static async Task ListsAsync(BenchmarkRun run)
    {
        await using AgentProcess agent = await AgentProcess.StartAsync();
        int count = run.Quick ? 50 : Processes;
        using Process parent = Command.Begin("sh", ["-c", $"i=0; while [ $i -lt {count} ]; do sleep 600 & i=$((i+1)); done; echo ready; read line; kill $(jobs -p)"]);
        try
        {
            _ = await parent.StandardOutput.ReadLineAsync(run.Cancellation);
            await ListAsync(run, agent, $"ListProcesses of one process among {count}", new ListProcessesRequest { Pids = { (uint)Environment.ProcessId } }, bar: 2000);
            await ListAsync(run, agent, $"ListProcesses, first page of all of {count}", new ListProcessesRequest(), bar: null);
        }
        finally
        {
            await parent.StandardInput.WriteLineAsync();
            await parent.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static async Task ListAsync(BenchmarkRun run, AgentProcess agent, string name, ListProcessesRequest request, int? bar)
    {
        const int Callers = 16;
        List<TimeSpan>[] times = [.. Enumerable.Range(0, Callers).Select(_ => new List<TimeSpan>())];
        long began = Stopwatch.GetTimestamp();
        await Task.WhenAll(times.Select(async list =>
        {
            using GrpcChannel channel = agent.Connect();
            ProcessService.ProcessServiceClient client = new(channel);
            while (Stopwatch.GetElapsedTime(began).TotalSeconds < (run.Quick ? 1 : ListSeconds))
            {
                long start = Stopwatch.GetTimestamp();
                await client.ListProcessesAsync(request, cancellationToken: run.Cancellation);
                list.Add(Stopwatch.GetElapsedTime(start));
            }
        }));
        double elapsed = Stopwatch.GetElapsedTime(began).TotalSeconds;
        TimeSpan[] all = [.. times.SelectMany(list => list)];
        double rate = all.Length / elapsed;
        string late = $"p99 {all.Percentile(0.99).Text()}";
        run.LoadFigures.Add(new Figure(name, $"{rate:0} a second", late, bar is { } least ? $"{least} a second" : "no bar", bar is null ? true : rate >= bar));
    }
}
