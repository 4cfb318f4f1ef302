using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Threading.Channels;

namespace Corelift.Testing;

/// <summary>A sleeping thread of a tracee whose registers and stack words are known (sleepers.h).</summary>
public readonly record struct Sleeper(int Tid, ulong Stack);

/// <summary>
/// A live target. It is a grandchild (a shell lies between), so that this process's SIGCHLD handling never touches it:
/// .NET consumes the ptrace-stops of its own children.
/// </summary>
public sealed class LiveProcess : IDisposable
{
    // fd 3: a shell gives its background jobs /dev/null as stdin. The inner shell tells its pid, then becomes the tracee.
    private const string Wrapper = """exec 3<&0; sh -c 'echo "PID $$"; exec "$@"' sh "$@" <&3 3<&- & exec 3<&-; wait $!; exit $?""";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly Process _shell;
    private readonly ScratchFolder? _copies;
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();
    private readonly StringBuilder _errors = new();

    private LiveProcess(LaunchOptions options, string program, IEnumerable<string> arguments)
    {
        if (options.Uid is { } uid && File.Exists(program) && program.StartsWith(Artifacts.Root, StringComparison.Ordinal))
        {
            _copies = new ScratchFolder();
            _copies.GiveTo(uid, uid);
            program = _copies.CopyProgram(program);
        }

        Executable = program;
        string filter = options.CoredumpFilter is { } bits ? $"echo {bits} >/proc/self/coredump_filter; " : "";
        _shell = Command.Begin("sh", ["-c", filter + Wrapper, "sh", .. options.Prefix(), program, .. arguments]);
        _ = ReadLinesAsync();
        _shell.ErrorDataReceived += (_, line) =>
        {
            lock (_errors)
            {
                _errors.AppendLine(line.Data);
            }
        };
        _shell.BeginErrorReadLine();
    }

    /// <summary>The program it runs.</summary>
    public string Executable { get; }

    /// <summary>Its pid in the pid namespace of the tests, whatever it thinks itself.</summary>
    public int Pid { get; private set; }

    /// <summary>Start in ticks since boot.</summary>
    public ulong StartTime { get; private set; }

    /// <summary>What it printed at READY.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; private set; } = new Dictionary<string, string>();

    /// <summary>Its threads with known registers.</summary>
    public IReadOnlyList<Sleeper> Sleepers =>
    [
        .. Facts.GetValueOrDefault("sleepers", "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split(':'))
            .Select(pair => new Sleeper(int.Parse(pair[0], CultureInfo.InvariantCulture), TraceeMemory.Address(pair[1]))),
    ];

    /// <summary>Whether the same process is still there, and no zombie.</summary>
    public bool IsAlive => Proc.StartTime(Pid) == StartTime && Proc.State(Pid) is not ("Z" or "X" or "-");

    /// <summary>Starts a tracee that <c>./run test</c> built, and waits until it is ready.</summary>
    public static LiveProcess Start(string tracee, params string[] arguments) => Start(new LaunchOptions(), tracee, arguments);

    /// <inheritdoc cref="Start(string, string[])"/>
    public static LiveProcess Start(LaunchOptions options, string tracee, params string[] arguments) =>
        StartProgram(options, Artifacts.Tracee(tracee), arguments);

    /// <summary>Starts a tracee that lies somewhere else.</summary>
    public static LiveProcess StartProgram(string program, params string[] arguments) => StartProgram(new LaunchOptions(), program, arguments);

    /// <summary>Starts the managed tracee.</summary>
    public static LiveProcess StartManaged(LaunchOptions options, params string[] arguments) =>
        StartProgram(options, "dotnet", [Artifacts.Tracee("managed/ManagedTarget.dll"), .. arguments]);

    /// <summary>Starts the Java tracee.</summary>
    public static LiveProcess StartJava(params string[] arguments)
    {
        string classes = Path.GetDirectoryName(Artifacts.Tracee("java/JavaTarget.class"))!;
        return StartProgram(new LaunchOptions(), "java", ["-Xmx64m", "-cp", classes, "JavaTarget", .. arguments]);
    }

    /// <summary>An address range that it printed at READY.</summary>
    public AddressSpan Range(string name) => AddressSpan.Parse(Facts[name]);

    /// <summary>A number that it printed at READY.</summary>
    public long Number(string name) => long.Parse(Facts[name], CultureInfo.InvariantCulture);

    /// <summary>One field of its status.</summary>
    public string Status(string key) => Proc.Status(Pid, key) ?? throw new TestingException($"{Executable} {Pid} has no {key}: is it gone?");

    /// <summary>Sends a command and returns the answer, "OK ..." or "BAD ...".</summary>
    public async Task<string> AskAsync(string command)
    {
        await _shell.StandardInput.WriteAsync(command + "\n");
        await _shell.StandardInput.FlushAsync();
        return await ReadLineAsync($"answer to '{command}'");
    }

    /// <summary>Sends a command and returns the number that it answered under a key.</summary>
    public async Task<long> AskNumberAsync(string command, string key) => NumberIn(await AskAsync(command), key);

    /// <summary>The number under a key of an answer.</summary>
    public static long NumberIn(string answer, string key) => long.Parse(Pairs(answer)[key], CultureInfo.InvariantCulture);

    /// <summary>Has the tracee look at itself.</summary>
    /// <exception cref="TestingException">It found harm; the message is what it says.</exception>
    public async Task CheckAsync(string command = "check")
    {
        string answer = await AskAsync(command);
        if (!answer.StartsWith("OK", StringComparison.Ordinal))
        {
            throw new TestingException($"{Path.GetFileName(Executable)} {Pid} was harmed: {answer}");
        }
    }

    /// <summary>Writes a command that has no answer.</summary>
    public void Tell(string command)
    {
        _shell.StandardInput.Write(command + "\n");
        _shell.StandardInput.Flush();
    }

    /// <summary>Sends it a signal.</summary>
    public void Signal(int signal) => _ = IsAlive ? Native.Kill(Pid, signal) : 0;

    /// <summary>Sends one of its threads a signal.</summary>
    public void Signal(int tid, int signal) => _ = IsAlive ? Native.ThreadKill(Pid, tid, signal) : 0;

    /// <summary>Waits for its end; the status as a shell gives it (128 and the signal's number for a signal).</summary>
    public async Task<int> ExitCodeAsync()
    {
        using CancellationTokenSource patience = new(s_patience);
        await _shell.WaitForExitAsync(patience.Token);
        return _shell.ExitCode;
    }

    /// <summary>Kills it.</summary>
    public void Dispose()
    {
        // Only the process we started, never one that got its pid since.
        Signal(Native.SigKill);
        _shell.StandardInput.Close();
        if (!_shell.WaitForExit(s_patience))
        {
            _shell.Kill();
        }

        _shell.Dispose();
        _copies?.Dispose();
    }

    private static LiveProcess StartProgram(LaunchOptions options, string program, string[] arguments)
    {
        LiveProcess process = new(options, program, arguments);
        try
        {
            process.AwaitReadyAsync(options).GetAwaiter().GetResult();
            return process;
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    private async Task AwaitReadyAsync(LaunchOptions options)
    {
        string pid = await ReadLineAsync("PID");
        Pid = int.Parse(pid["PID ".Length..], CultureInfo.InvariantCulture);
        Facts = Pairs(await ReadLineAsync("READY"));
        if (options.NewNamespaces)
        {
            Pid = Proc.Children(Pid).Single(); // what we know so far is unshare
        }

        StartTime = Proc.StartTime(Pid);
    }

    private static Dictionary<string, string> Pairs(string line) => line.Split(' ').Select(word => word.Split('=', 2))
        .Where(pair => pair.Length == 2).GroupBy(pair => pair[0]).ToDictionary(group => group.Key, group => group.First()[1]);

    private async Task ReadLinesAsync()
    {
        while (await _shell.StandardOutput.ReadLineAsync() is { } line)
        {
            _lines.Writer.TryWrite(line);
        }

        _lines.Writer.Complete();
    }

    private async Task<string> ReadLineAsync(string what)
    {
        using CancellationTokenSource patience = new(s_patience);
        try
        {
            return await _lines.Reader.ReadAsync(patience.Token);
        }
        catch (Exception failure) when (failure is OperationCanceledException or ChannelClosedException)
        {
            lock (_errors)
            {
                throw new TestingException($"{Executable} {Pid}: no {what} (state {Proc.State(Pid)}): {_errors}");
            }
        }
    }
}
