using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Sessions;

/// <summary>Processes that must never be stopped: two that trace each other cannot even be killed.</summary>
internal static class OwnProcesses
{
    /// <summary>The supervisor looks once more itself; this says it in words.</summary>
    /// <exception cref="CaptureException">The pid is the agent's, one of its workers', or one of its ancestors'.</exception>
    internal static void ThrowIfOwn(int pid, int supervisor)
    {
        foreach (int own in (ReadOnlySpan<int>)[Environment.ProcessId, supervisor])
        {
            if (pid == own || ParentOf(pid) == own)
            {
                throw new CaptureException(CaptureFailure.OwnProcess, $"{pid} is the agent itself or one of its workers, which it must not stop");
            }

            int ancestor = ParentOf(own);
            for (int depth = 0; ancestor > 0 && depth < 256; depth++, ancestor = ParentOf(ancestor))
            {
                if (ancestor == pid)
                {
                    throw new CaptureException(CaptureFailure.OwnProcess, $"{pid} is an ancestor of the agent, which it must not stop");
                }
            }
        }
    }

    private static int ParentOf(int pid)
    {
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(pid);
            return directory.ReadStat().ParentPid;
        }
        catch (Exception failure) when (failure is SyscallException or ArgumentException)
        {
            return 0;
        }
    }
}
