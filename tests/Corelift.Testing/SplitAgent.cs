using System.Diagnostics;

namespace Corelift.Testing;

/// <summary>
/// Supervisor and front end as two containers of one pod have them: uid 0 with exactly the two capabilities, and a user without
/// any, over a Unix socket. Each can be started, killed and started again by itself.
/// </summary>
public sealed class SplitAgent : IAsyncDisposable
{
    /// <summary>Uid of the front end.</summary>
    public const uint FrontEndUid = 1654;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private readonly ScratchFolder _folder = new();
    private readonly string _binary;
    private readonly List<string> _log = [];
    private readonly List<Process> _started = [];

    /// <summary>Prepares; starts nothing.</summary>
    public SplitAgent()
    {
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_111_111);
        _binary = _folder.CopyProgram(Artifacts.Agent);
    }

    /// <summary>Path of the supervisor's socket.</summary>
    public string SupervisorPath => _folder.File("supervisor.sock");

    /// <summary>The front end's address as clients name it.</summary>
    public string Address => "unix:" + SocketPath;

    /// <summary>Path of the front end's socket.</summary>
    public string SocketPath => _folder.File("agent.sock");

    /// <summary>What both have said.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return string.Join('\n', _log);
            }
        }
    }

    /// <summary>The supervisor, once it was started.</summary>
    public Process Supervisor { get; private set; } = null!;

    /// <summary>The front end, once it was started.</summary>
    public Process FrontEnd { get; private set; } = null!;

    /// <summary>Starts the supervisor, and waits until it says that it serves.</summary>
    public async Task StartSupervisorAsync(uint frontEndUid = FrontEndUid, params string[] arguments)
    {
        int said = Count("supervisor serves");
        Supervisor = Begin(
            ["--inh-caps=-all", "--bounding-set=-all,+sys_ptrace,+sys_nice", "--no-new-privs", "--"],
            ["supervisor", "--listen", "unix:" + SupervisorPath, "--front-end-uid", $"{frontEndUid}", .. arguments]);
        await Wait.UntilAsync(() => Count("supervisor serves") > said || Supervisor.HasExited, s_patience, "a supervisor that serves");
        _ = Supervisor.HasExited ? throw new TestingException("the supervisor ended:\n" + Log) : 0;
    }

    /// <summary>Starts a front end, and waits until it says that it serves or ends.</summary>
    public async Task<Process> StartFrontEndAsync(uint uid = FrontEndUid, bool withCapabilities = false)
    {
        int said = Count("serves on unix:");
        FrontEnd = Begin(
            [$"--reuid={uid}", $"--regid={uid}", "--clear-groups", "--inh-caps=-all", .. withCapabilities ? (string[])["--"] : ["--bounding-set=-all", "--no-new-privs", "--"]],
            ["serve", "--supervisor", "unix:" + SupervisorPath, "--listen", Address]);
        await Wait.UntilAsync(() => Count("serves on unix:") > said || FrontEnd.HasExited, s_patience, "a front end that serves");
        return FrontEnd;
    }

    /// <summary>Kills one of the two with SIGKILL, and waits for its end.</summary>
    public static async Task KillAsync(Process process)
    {
        process.Kill();
        await process.WaitForExitAsync();
    }

    /// <summary>The supervisor's workers.</summary>
    public int[] Workers => Proc.Children(Supervisor.Id);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (Process process in Enumerable.Reverse(_started))
        {
            if (!process.HasExited)
            {
                _ = Native.Kill(process.Id, Native.SigTerm);
                using CancellationTokenSource patience = new(s_patience);
                await process.WaitForExitAsync(patience.Token);
            }

            process.Dispose();
        }

        _folder.Dispose();
    }

    private int Count(string words)
    {
        lock (_log)
        {
            return _log.Count(line => line.Contains(words, StringComparison.Ordinal));
        }
    }

    private Process Begin(string[] privileges, string[] arguments)
    {
        Process process = Command.Begin(
            "setpriv", [.. privileges, _binary, .. arguments], new Dictionary<string, string> { ["TMPDIR"] = _folder.Path, ["XDG_RUNTIME_DIR"] = _folder.Path });
        _started.Add(process);
        process.OutputDataReceived += (_, line) => Note(line.Data);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private void Note(string? line)
    {
        if (line is not null)
        {
            lock (_log)
            {
                _log.Add(line);
            }
        }
    }
}
