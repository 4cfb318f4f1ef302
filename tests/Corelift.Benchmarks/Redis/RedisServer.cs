using System.Diagnostics;
using System.Globalization;

namespace Corelift.Benchmarks;

/// <summary>A redis-server of our own on a Unix socket, filled with values of 1 KiB. It ends with this process at the latest.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    internal const int ValueBytes = 1024;

    // A grandchild, as the runtime consumes the ptrace-stops of its own children; the end of stdin ends it.
    private const string Wrapper = """log=$1; shift; "$@" >"$log" 2>&1 & p=$!; echo $p; read -r _; kill $p; wait $p""";

    // Memory of one key with its value, roughly: what makes a data set of a size.
    private const long BytesPerKey = 1300;
    private const int KeysPerCall = 100_000;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly ScratchFolder _folder = new();
    private readonly Process _shell;

    private RedisServer(BenchmarkRun run, long bytes)
    {
        Keys = bytes / BytesPerKey;
        SocketPath = _folder.File("redis.sock");
        _shell = Command.Begin("sh",
        [
            "-c", Wrapper, "sh", _folder.File("log"), Program(), "--port", "0", "--unixsocket", SocketPath, "--save", "",
            "--appendonly", "no", "--dir", run.ScratchPath(""),
        ]);
    }

    internal int Pid { get; private set; }

    internal long Keys { get; }

    internal string SocketPath { get; }

    internal static async Task<RedisServer> StartAsync(BenchmarkRun run, long bytes)
    {
        RedisServer server = new(run, bytes);
        try
        {
            server.Pid = int.Parse(await server._shell.StandardOutput.ReadLineAsync(run.Cancellation) ?? "", CultureInfo.InvariantCulture);
            await Wait.UntilAsync(() => File.Exists(server.SocketPath), s_patience, "redis-server listening");
            await server.FillAsync(run);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    internal async Task<string> AskAsync(BenchmarkRun run, params string[] words)
    {
        CommandResult result = (await Command.RunAsync("redis-cli", ["-s", SocketPath, .. words], cancellation: run.Cancellation)).Checked();
        return result.Output.StartsWith("ERR", StringComparison.Ordinal) || result.Output.StartsWith("(error)", StringComparison.Ordinal)
            ? throw new TestingException($"redis-cli {words[0]}: {result.Output.OneLine()}")
            : result.Output;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        using CancellationTokenSource patience = new(s_patience);
        try
        {
            await _shell.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _shell.Kill(entireProcessTree: true);
        }

        _shell.Dispose();
        _folder.Dispose();
    }

    // Debian's redis-tools holds the server under another name; the package redis-server would start one by itself.
    private string Program()
    {
        string link = _folder.File("redis-server");
        string real = ((string[])["/usr/bin/redis-server", "/usr/bin/redis-check-rdb"]).FirstOrDefault(File.Exists)
            ?? throw new TestingException("redis-tools is not installed");
        File.CreateSymbolicLink(link, real);
        return link;
    }

    private async Task FillAsync(BenchmarkRun run)
    {
        string script = $"local v = string.rep('x', {ValueBytes}) "
            + "for i = ARGV[1], ARGV[2] - 1 do redis.call('SET', string.format('key:%012d', i), v) end";
        for (long key = 0; key < Keys; key += KeysPerCall)
        {
            await AskAsync(run, "EVAL", script, "0", $"{key}", $"{Math.Min(Keys, key + KeysPerCall)}");
        }
    }
}
