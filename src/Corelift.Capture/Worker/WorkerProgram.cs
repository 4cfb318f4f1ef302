using Corelift.Linux;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;
using Corelift.Linux.Scheduling;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>
/// The process that holds a target: started for one stop or capture, with its end of a socket to the front end as descriptor 3.
/// The first message on it is the supervisor's: the request, with a socket to the supervisor. Its death, at any moment, is a resume.
/// </summary>
public static class WorkerProgram
{
    private const int AgentDescriptor = 3;

    /// <summary>Entry point of "corelift-agent worker".</summary>
    /// <returns>Exit status: 0 done, 1 failed and said so, 2 not started by an agent.</returns>
    public static int Main()
    {
        using SafeFileHandle? ownMemFile = SelfControl.OpenOwnMemory();
        SelfControl.MakeNonDumpable();
        SelfControl.LowerPriority(); // to normal: the agent that started us gives way to others
        using var handle = new SafeFileHandle(AgentDescriptor, ownsHandle: true);
        using var agent = new MessageSocket(handle);
        var descriptors = new List<SafeFileHandle>();
        Span<byte> message = stackalloc byte[WorkerMessage.MaxBytes];
        int length;
        try
        {
            length = agent.Receive(message, descriptors);
        }
        catch (SyscallException)
        {
            return 2;
        }

        if (!WorkerMessage.TryRead(message[..length], out WorkerRequest request) || descriptors.Count == 0)
        {
            return 2;
        }

        using var supervisor = new MessageSocket(descriptors[0]);
        if (request.Task == WorkerTask.Restore)
        {
            return descriptors.Count > 1 && QuiesceJournal.Restore(descriptors[^1]) is var restored and > 0 ? Restored(agent, restored) : 0;
        }

        if (request.Task == WorkerTask.Nothing)
        {
            return 0;
        }

        var clock = new WorkerClock(agent, supervisor);
        var replies = new WorkerReplies(agent) { QuiesceJournal = request.Quiesces != 0 && descriptors.Count > 1 ? descriptors[^1] : null };
        try
        {
            switch (request.Task)
            {
                case WorkerTask.Capture:
                    CaptureTask.Run(request, replies, clock, request.HasSpoolFile != 0 && descriptors.Count > 1 ? descriptors[1] : null, ownMemFile);
                    break;
                case WorkerTask.Stop:
                    HoldTask.Run(request, replies, clock);
                    break;
                case WorkerTask.Precopy:
                    PrecopyTask.Run(request, replies, clock);
                    break;
                case WorkerTask.Reap:
                    ReapTask.Run(request, replies, clock);
                    break;
                default:
                    return 2;
            }

            return 0;
        }
        catch (NotApprovedException)
        {
            replies.Released(0);
            return 0;
        }
        catch (CaptureException failure)
        {
            replies.Fail(failure.Failure, failure.Message);
        }
        catch (RemoteCallException failure)
        {
            replies.Fail(
                failure.Errno == Errno.NoSuchTask ? CaptureFailure.TargetExited : CaptureFailure.StopBudgetOverrun, failure.Message);
        }
        catch (SyscallException failure)
        {
            replies.Fail(
                failure.IsTaskGone ? CaptureFailure.TargetExited : failure.IsDenied ? CaptureFailure.DeniedByKernel : CaptureFailure.Internal,
                failure.Message);
        }
        catch (Exception failure) when (failure is IOException or InvalidOperationException or OutOfMemoryException or ArgumentException)
        {
            replies.Fail(CaptureFailure.Internal, failure.Message);
        }

        return 1;
    }

    private static int Restored(MessageSocket agent, int count)
    {
        new WorkerReplies(agent).Released(count);
        return 0;
    }
}
