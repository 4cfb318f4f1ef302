using System.Runtime.InteropServices;
using System.Text;
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
    private const int NoHang = 1;                   // WNOHANG

    private readonly Lock _lock = new();
    private bool _reaped;
    private int _status = -1;

    private ChildProcess(int pid) => Pid = pid;

    /// <summary>Its pid; not reused before it was reaped by <see cref="TryReap"/>.</summary>
    public int Pid { get; }

    /// <summary>Its exit status, or -1 where it was killed by a signal or was not reaped yet.</summary>
    public int ExitStatus => _reaped && _status >= 0 && (_status & 0x7F) == 0 ? (_status >> 8) & 0xFF : -1;

    /// <summary>Starts a program with <paramref name="socket"/> as its descriptor 3, and this process's environment.</summary>
    /// <exception cref="SyscallException">It could not be started.</exception>
    public static ChildProcess Start(string path, IReadOnlyList<string> arguments, MessageSocket socket)
    {
        byte* actions = stackalloc byte[SpawnActionsBytes];
        _ = LibC.SpawnActionsInit(actions);
        byte** argv = ToArray(arguments);
        byte** environment = ToArray(EnvironmentStrings());
        try
        {
            // A descriptor that is 3 already would keep its close-on-exec flag; adddup2 onto itself clears it (POSIX 2024, glibc 2.29).
            _ = LibC.SpawnActionsAddDup2(actions, (int)socket.Handle.DangerousGetHandle(), 3);
            int result = LibC.PosixSpawn(out int pid, path, actions, null, argv, environment);
            return result == 0 ? new ChildProcess(pid) : throw new SyscallException("posix_spawn", 0, (Errno)result);
        }
        finally
        {
            _ = LibC.SpawnActionsDestroy(actions);
            FreeArray(argv);
            FreeArray(environment);
        }
    }

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

    /// <summary>How it ended, in a few words; after <see cref="TryReap"/> said that it has.</summary>
    public string DescribeEnd() => _status switch
    {
        < 0 => "its end was not seen",
        _ when ExitStatus >= 0 => $"exit status {ExitStatus}",
        _ => $"killed by signal {_status & 0x7F}",
    };

    private static List<string> EnvironmentStrings()
    {
        var list = new List<string>();
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            list.Add($"{entry.Key}={entry.Value}");
        }

        return list;
    }

    private static byte** ToArray(IReadOnlyList<string> strings)
    {
        byte** array = (byte**)NativeMemory.AllocZeroed((nuint)(strings.Count + 1), (nuint)sizeof(byte*));
        for (int i = 0; i < strings.Count; i++)
        {
            int length = Encoding.UTF8.GetByteCount(strings[i]);
            array[i] = (byte*)NativeMemory.AllocZeroed((nuint)length + 1);
            Encoding.UTF8.GetBytes(strings[i], new Span<byte>(array[i], length));
        }

        return array;
    }

    private static void FreeArray(byte** array)
    {
        for (int i = 0; array[i] is not null; i++)
        {
            NativeMemory.Free(array[i]);
        }

        NativeMemory.Free(array);
    }
}
