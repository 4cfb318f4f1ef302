using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>
/// Has a target reap a dead image. An image has no exit signal, so neither the target nor the kernel does it by itself; one
/// thread of the target is stopped for some ten microseconds to make the wait4.
/// </summary>
internal static class ReapTask
{
    private const long Patience = 1_000_000_000;
    private const int Attempts = 5;

    internal static void Run(WorkerRequest request, WorkerReplies replies, WorkerClock clock)
    {
        replies.Released(0, Reap(request.Pid, request.StartTimeTicks, request.ImagePid, clock));
    }

    /// <returns>Empty where the image is gone, or why it is not.</returns>
    internal static string Reap(int pid, ulong startTimeTicks, int imagePidInTarget, WorkerClock clock)
    {
        string reason = string.Empty;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            try
            {
                reason = TryReap(pid, startTimeTicks, imagePidInTarget, clock);
            }
            catch (CaptureException failure) when (failure.Failure is CaptureFailure.NoSuchProcess or CaptureFailure.TargetExited or CaptureFailure.Zombie or CaptureFailure.IdentityChanged)
            {
                return string.Empty; // the image went to another parent together with the target's other children
            }
            catch (Exception failure) when (failure is CaptureException or SyscallException or RemoteCallException)
            {
                reason = failure.Message;
            }

            if (reason.Length == 0)
            {
                return reason;
            }

            MonotonicClock.Relax(20_000_000);
        }

        return reason;
    }

    private static string TryReap(int pid, ulong startTimeTicks, int imagePidInTarget, WorkerClock clock)
    {
        using ProcessDirectory directory = TargetFacts.Open(new ProcessRef(pid, startTimeTicks));
        return BriefStop.Run(TargetFacts.Read(directory), directory, clock, Patience, (caller, deadline) =>
            ProcessImage.Reap(caller, imagePidInTarget, deadline) ? string.Empty : "the target's wait4 does not know the image", out _);
    }
}
