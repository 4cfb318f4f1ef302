using System.Diagnostics;

namespace Corelift.Testing.Oracles;

/// <summary>gdb attached to a process until this is disposed: somebody else who traces it.</summary>
public sealed class DebuggerHold : IDisposable
{
    private readonly Process _gdb;

    private DebuggerHold(int pid) => _gdb = Command.Begin("gdb", ["-nx", "-q", "-iex", "set debuginfod enabled off", "-p", $"{pid}"]);

    /// <summary>Pid of the gdb.</summary>
    public int Pid => _gdb.Id;

    /// <summary>Attaches, and returns when the process is traced.</summary>
    public static async Task<DebuggerHold> AttachAsync(int pid)
    {
        DebuggerHold hold = new(pid);
        hold._gdb.OutputDataReceived += (_, _) => { };
        hold._gdb.BeginOutputReadLine();
        hold._gdb.ErrorDataReceived += (_, _) => { };
        hold._gdb.BeginErrorReadLine();
        try
        {
            await Wait.UntilAsync(() => Proc.Tasks(pid).All(tid => Proc.Status(pid, "TracerPid", tid) == $"{hold.Pid}"), TimeSpan.FromSeconds(30), "gdb attached");
            return hold;
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    /// <summary>Detaches.</summary>
    public void Dispose()
    {
        _gdb.StandardInput.WriteLine("detach");
        _gdb.StandardInput.WriteLine("quit");
        _gdb.StandardInput.Close();
        if (!_gdb.WaitForExit(TimeSpan.FromSeconds(20)))
        {
            _gdb.Kill();
        }

        _gdb.Dispose();
    }
}
