using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Corelift.Benchmarks.Peers;

/// <summary>gdbserver beside the target, and a gdb that fetches the core through it over loopback: the remote peer.</summary>
internal sealed class GdbserverPeer() : Peer("gdbserver + remote gcore")
{
    private const int MostMebibytes = 1024, MostThreads = 10;
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(4), s_patience = TimeSpan.FromSeconds(20);

    internal override int MostRounds => 1;

    internal override string? Declines(TargetShape shape) => shape switch
    {
        { Mebibytes: > MostMebibytes } => "not tried: at its rate, which the smaller targets show, it would take minutes",
        { Threads: > MostThreads } or { DirtyMegabytesPerSecond: > 0 } => "not tried: what it does to the idle target of 10 threads shows already",
        _ => null,
    };

    internal override async Task<CaptureRun> CaptureAsync(BenchmarkRun run, LiveProcess target)
    {
        string core = run.ScratchPath("remote.core"), usage = run.ScratchPath("gdbserver-usage");
        string address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{FreePort()}");
        string[] words = [.. TimedCommand.Prefix(usage), "gdbserver", "--once", "--attach", address, $"{target.Pid}"];
        long start = Stopwatch.GetTimestamp();
        using Process server = Command.Begin(words[0], words[1..]);
        try
        {
            await AwaitListeningAsync(server, run.Cancellation);
            await FetchAsync(run, target, address, core);
            await server.WaitForExitAsync(run.Cancellation).WaitAsync(s_patience, run.Cancellation);
        }
        finally
        {
            if (!server.HasExited)
            {
                server.Kill(entireProcessTree: true);
            }
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        TimedUsage used = TimedUsage.Parse(await File.ReadAllTextAsync(usage, run.Cancellation));
        RequireWhole([core], LeastBytes(target));
        return new CaptureRun { Elapsed = elapsed, Cpu = used.Cpu, MemoryBytes = used.PeakBytes, Note = "CPU and memory of gdbserver" };
    }

    // Files are read here, not through gdbserver: the client of a core has them, too.
    private static async Task FetchAsync(BenchmarkRun run, LiveProcess target, string address, string core)
    {
        CommandResult result = await Command.RunAsync(
            "gdb",
            [
                "-nx", "-batch", "-ex", "set sysroot /", "-ex", "set remotetimeout 60", "-ex", $"file {target.Executable}",
                "-ex", $"target remote {address}", "-ex", $"gcore {core}", "-ex", "detach",
            ],
            new Dictionary<string, string> { ["DEBUGINFOD_URLS"] = "" }, s_bound, run.Cancellation);
        if (!File.Exists(core))
        {
            throw new TestingException($"gdb wrote no core: {result.Errors.LastLine()}");
        }
    }

    private static async Task AwaitListeningAsync(Process server, CancellationToken cancellation)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(s_patience);
        while (await server.StandardError.ReadLineAsync(patience.Token) is { } line)
        {
            if (line.StartsWith("Listening", StringComparison.Ordinal))
            {
                return;
            }
        }

        throw new TestingException("gdbserver did not listen");
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
