using System.Diagnostics;
using System.Text.RegularExpressions;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace Corelift.Testing;

/// <summary>A real agent process, published binary and all, with exactly the capabilities that it is allowed to have.</summary>
public sealed partial class AgentProcess : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly ScratchFolder _folder = new();
    private readonly List<string> _log = [];

    private AgentProcess(AgentOptions options)
    {
        _folder.GiveTo(options.Uid, options.Uid);
        SocketPath = _folder.File("agent.sock");
        string binary = ProgramPath = _folder.CopyProgram(Artifacts.Agent);
        _process = Command.Begin(
            "setpriv",
            [.. options.Privileges(), binary, "--listen", Address, .. options.Arguments],
            new Dictionary<string, string>(options.Environment) { ["TMPDIR"] = _folder.Path, ["XDG_RUNTIME_DIR"] = _folder.Path });
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Pid of the agent's first process: the supervisor, which keeps the capabilities.</summary>
    public int Pid => _process.Id;

    /// <summary>Pid of the process that serves: a child of the first one; 0 where there is none.</summary>
    public int FrontEndPid => Proc.Children(Pid).FirstOrDefault(IsFrontEnd);

    /// <summary>Path of its socket.</summary>
    public string SocketPath { get; }

    /// <summary>Path of its own copy of the program, which it starts workers from.</summary>
    public string ProgramPath { get; }

    /// <summary>The address as clients name it.</summary>
    public string Address => "unix:" + SocketPath;

    /// <summary>Whether the process has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>Its exit code, after it has ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>All it has logged.</summary>
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

    /// <summary>Resident bytes of supervisor, front end and workers now.</summary>
    public long ResidentBytes => Proc.Descendants(Pid).Append(Pid).Sum(pid => Proc.StatusBytes(pid, "VmRSS"));

    /// <summary>Most bytes that were ever resident in the process that serves.</summary>
    public long PeakResidentBytes => Proc.StatusBytes(FrontEndPid, "VmHWM");

    /// <summary>Its workers, and whatever else it started beside the front end.</summary>
    public int[] Descendants => [.. Proc.Descendants(Pid).Where(pid => !IsFrontEnd(pid))];

    /// <summary>Starts the agent and waits until it says that it serves.</summary>
    public static async Task<AgentProcess> StartAsync(AgentOptions? options = null)
    {
        AgentProcess agent = new(options ?? new AgentOptions());
        try
        {
            await agent.AwaitServingAsync();
            return agent;
        }
        catch
        {
            await agent.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts an agent that is expected to refuse, and waits for its end.</summary>
    public static async Task<(int ExitCode, string Log)> RunToEndAsync(AgentOptions options)
    {
        await using AgentProcess agent = new(options);
        using CancellationTokenSource patience = new(s_patience);
        await agent._process.WaitForExitAsync(patience.Token);
        return (agent._process.ExitCode, agent.Log);
    }

    /// <summary>A connection of its own to the agent.</summary>
    public GrpcChannel Connect() => UnixChannel.Connect(SocketPath);

    /// <summary>Tells it to stop, and does not wait.</summary>
    public void BeginStop() => _ = Native.Kill(Pid, Native.SigTerm);

    /// <summary>Ends it by SIGTERM; its exit code.</summary>
    public async Task<int> StopAsync()
    {
        _ = _process.HasExited ? 0 : Native.Kill(Pid, Native.SigTerm);
        using CancellationTokenSource patience = new(s_patience);
        await _process.WaitForExitAsync(patience.Token);
        return _process.ExitCode;
    }

    /// <summary>Kills the process that serves and then the first one with SIGKILL: nobody is left to clean up.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            Proc.Kill(FrontEndPid);
            _ = Native.Kill(Pid, Native.SigKill);
        }

        await _process.WaitForExitAsync();
    }

    /// <summary>Kills its first process alone with SIGKILL; returns when the front end has ended as well.</summary>
    public async Task KillSupervisorAsync()
    {
        _ = Native.Kill(Pid, Native.SigKill);
        await _process.WaitForExitAsync();
    }

    /// <summary>Kills the process that serves with SIGKILL, and waits for the end of the first one.</summary>
    public async Task KillFrontEndAsync()
    {
        _ = Native.Kill(FrontEndPid, Native.SigKill);
        using CancellationTokenSource patience = new(s_patience);
        await _process.WaitForExitAsync(patience.Token);
    }

    /// <summary>Kills every worker that it has just now; how many there were.</summary>
    public int KillWorkers() => Descendants.Count(pid => Native.Kill(pid, Native.SigKill) == 0);

    /// <summary>Fails on any line of level error or above that <paramref name="expected"/> does not match.</summary>
    public void AssertCleanLog(string? expected = null)
    {
        lock (_log)
        {
            string[] errors = [.. _log.Where(line => ErrorLine().IsMatch(line) && (expected is null || !Regex.IsMatch(line, expected)))];
            if (errors.Length > 0)
            {
                throw new TestingException("the agent logged errors:\n" + string.Join('\n', errors) + "\n\nall of it:\n" + string.Join('\n', _log));
            }
        }
    }

    /// <summary>Fails if it still has a worker or anything else for longer than <see cref="Wait.Soon"/>.</summary>
    public Task AssertNoWorkersAsync() =>
        Wait.UntilAsync(() => Descendants.Length == 0, Wait.Soon, "no worker left");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        int[] workers = [.. Proc.Descendants(Pid)];
        if (!_process.HasExited)
        {
            try
            {
                await StopAsync();
            }
            catch (OperationCanceledException)
            {
                await KillAsync();
            }
        }

        foreach (int worker in workers.Where(Proc.Exists))
        {
            _ = Native.Kill(worker, Native.SigKill);
        }

        _process.Dispose();
        _folder.Dispose();
    }

    // A child that has not called execve yet still has its parent's command line.
    private static bool IsFrontEnd(int pid) => Proc.Arguments(pid) is [_, "--supervisor", "fd:3", ..];

    private async Task AwaitServingAsync()
    {
        using GrpcChannel channel = Connect();
        Health.HealthClient health = new(channel);
        await Wait.UntilAsync(
            async () =>
            {
                try
                {
                    HealthCheckResponse answer = await health.CheckAsync(new HealthCheckRequest(), deadline: DateTime.UtcNow.AddSeconds(5));
                    return answer.Status == HealthCheckResponse.Types.ServingStatus.Serving;
                }
                catch (RpcException) when (!_process.HasExited)
                {
                    return false;
                }
                catch (RpcException)
                {
                    await _process.WaitForExitAsync(); // the rest of its log, too
                    throw new TestingException($"the agent ended with {_process.ExitCode}; it said:\n{Log}");
                }
            },
            s_patience,
            () => "agent serving; it said:\n" + Log);
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

    // The levels as the console, systemd and JSON formatters of Microsoft.Extensions.Logging print them.
    [GeneratedRegex("""(^|\s)(fail|crit): |^<[0-3]>|"LogLevel":\s*"(Error|Critical)"|Unhandled exception""")]
    private static partial Regex ErrorLine();
}
