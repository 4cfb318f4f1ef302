using Corelift.Linux.Interop;

namespace Corelift.Linux.Processes;

/// <summary>
/// A child started by posix_spawn(3). System.Diagnostics.Process is not used on this side: its first start arms the
/// runtime's SIGCHLD handler, which steals ptrace-stops (dotnet/runtime issue 133736).
/// </summary>
public sealed unsafe class ChildProcess
{
    private const int SpawnActionsBytes = 256;      // posix_spawn_file_actions_t is 80 bytes in glibc
    private const int SigKill = 9;
    private const int SigTerm = 15;
    private const int NoHang = 1;                   // WNOHANG

    private readonly Lock _lock = new();
    private bool _reaped;
    private int _status = -1;

    private ChildProcess(int pid) => Pid = pid;

    /// <summary>Its pid; not reused before it was reaped by <see cref="TryReap"/>.</summary>
    public int Pid { get; }

    /// <summary>How it ended, as wait4(2) says it; -1 where it was not reaped yet, or its end was not seen.</summary>
    public int WaitStatus => _reaped ? _status : -1;

    /// <summary>Starts a program with <paramref name="socket"/> as its descriptor 3, and this process's environment.</summary>
    /// <exception cref="SyscallException">It could not be started.</exception>
    public static ChildProcess Start(string path, IReadOnlyList<string> arguments, MessageSocket socket)
    {
        byte* actions = stackalloc byte[SpawnActionsBytes];
        _ = LibC.SpawnActionsInit(actions);
        using var texts = new NativeStrings(arguments);
        using var environment = NativeStrings.OfEnvironment();
        try
        {
            // A descriptor that is 3 already would keep its close-on-exec flag; adddup2 onto itself clears it (POSIX 2024, glibc 2.29).
            _ = LibC.SpawnActionsAddDup2(actions, (int)socket.Handle.DangerousGetHandle(), 3);
            int result = LibC.PosixSpawn(out int pid, path, actions, null, texts.Array, environment.Array);
            return result == 0 ? new ChildProcess(pid) : throw new SyscallException("posix_spawn", 0, (Errno)result);
        }
        finally
        {
            _ = LibC.SpawnActionsDestroy(actions);
        }
    }

    /// <summary>The same, for a child that never has a capability, whoever owns the program and whatever its file's capabilities.</summary>
    /// <exception cref="SyscallException">It could not be started, or not so.</exception>
    public static ChildProcess StartWithoutCapabilities(string path, IReadOnlyList<string> arguments, MessageSocket socket) =>
        Privileges.OnBareThread(() => Start(path, arguments, socket));

    /// <summary>Exit status of a wait status; -1 where a signal killed the process or its end was not seen.</summary>
    public static int ExitStatusOf(int waitStatus) => waitStatus >= 0 && (waitStatus & 0x7F) == 0 ? (waitStatus >> 8) & 0xFF : -1;

    /// <summary>A wait status in a few words.</summary>
    public static string Describe(int waitStatus) => waitStatus switch
    {
        < 0 => "its end was not seen",
        _ when ExitStatusOf(waitStatus) >= 0 => $"exit status {ExitStatusOf(waitStatus)}",
        _ => $"killed by signal {waitStatus & 0x7F}",
    };

    /// <summary>Sends SIGKILL, unless it was reaped already.</summary>
    public void Kill()
    {
        lock (_lock)
        {
            if (!_reaped)
            {
                _ = LibC.Kill(Pid, SigKill);
            }
        }
    }

    /// <summary>Sends SIGTERM, unless it was reaped already.</summary>
    public void Terminate()
    {
        lock (_lock)
        {
            if (!_reaped)
            {
                _ = LibC.Kill(Pid, SigTerm);
            }
        }
    }

    /// <summary>Reaps it if it has ended.</summary>
    /// <returns>Whether it has ended.</returns>
    public bool TryReap()
    {
        lock (_lock)
        {
            if (!_reaped && LibC.Wait4(Pid, out int status, NoHang, 0) is var result and not 0)
            {
                (_reaped, _status) = (true, result > 0 ? status : -1);
            }

            return _reaped;
        }
    }
}
