using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>Stops a target and holds it until told to resume it, until the lease runs out, or until the agent has gone.</summary>
internal static class HoldTask
{
    private const int WindowBytes = 1 << 20;

    internal static void Run(WorkerRequest request, WorkerReplies replies, WorkerClock clock)
    {
        using StoppedTarget target = StoppedTarget.Prepare(request, clock, replies);
        using SharedBuffer window = SharedBuffer.Create("corelift-window", WindowBytes);
        target.Stop(request.StopBudgetNanoseconds);
        long stopped;
        try
        {
            Hold(request, target, window, replies, clock);
        }
        finally
        {
            stopped = target.Resume();
        }

        replies.Released(stopped); // a failure is told as one, and not as the end of a stop that there was not
    }

    private static void Hold(WorkerRequest request, StoppedTarget target, SharedBuffer window, WorkerReplies replies, WorkerClock clock)
    {
        RemoteCaller? caller = target.Facts.CanOpenMem ? null : target.PrepareCalls();
        TargetFiles files;
        try
        {
            files = target.OpenFiles(caller);
        }
        finally
        {
            caller?.Restore();
        }

        byte[] maps = target.Facts.Directory.ReadFile("maps");
        byte[] auxv = files.Auxv ?? AuxvOnStack.Read(target.Facts) ?? [];
        ReportHeader header = ReportHeader.Of(target);
        long latest = MonotonicClock.Nanoseconds + request.MostHoldNanoseconds;
        long deadline = Math.Min(MonotonicClock.Nanoseconds + request.HoldNanoseconds, latest);
        clock.StopBegins(deadline);
        target.Session.LowerPriorityToHold();
        using (SharedBuffer report = CaptureReport.Write(header, new ReportParts(maps, auxv, [], []), new ExtentList()))
        {
            replies.Instant(
                (WorkerDescriptors.Threads, target.ThreadBuffer.File),
                (WorkerDescriptors.Report, report.File),
                (WorkerDescriptors.Memory, files.Memory),
                (WorkerDescriptors.Pagemap, files.Pagemap),
                (WorkerDescriptors.Window, window.File));
        }

        files.Memory?.Dispose();
        files.Pagemap?.Dispose();
        var memory = new ProcessMemory(target.Session.Tid(0));
        while (replies.TryReceive(TimeSpan.FromTicks(Math.Max(0, deadline - MonotonicClock.Nanoseconds) / 100), out WorkerCommand command)
            && command.Kind != WorkerCommandKind.Release)
        {
            if (command.Kind == WorkerCommandKind.KeepAlive)
            {
                deadline = Math.Min(MonotonicClock.Nanoseconds + Math.Clamp(command.Value, 0, request.MostHoldNanoseconds), latest);
                clock.StopBegins(deadline);
            }
            else
            {
                int length = Math.Clamp(command.LengthBytes, 0, WindowBytes);
                replies.Window(memory.Read(new RemoteAddress(command.Address), window.Slice(0, length)));
            }
        }
    }
}
