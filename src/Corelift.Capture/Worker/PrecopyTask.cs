using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>
/// Strategy precopy: begins to track writes, lets the agent read memory while the target runs, and when told to, copies by
/// itself, locally and fast, what is written meanwhile, until little is left for the stop.
/// </summary>
internal static class PrecopyTask
{
    private const int MostStops = 2;
    private const long MuchBytes = 16L << 20;

    internal static void Run(WorkerRequest request, WorkerReplies replies, WorkerClock clock)
    {
        using ProcessDirectory directory = TargetFacts.Open(new ProcessRef(request.Pid, request.StartTimeTicks));
        TargetFacts facts = TargetFacts.Read(directory);
        using TrackedMemory memory = TrackedMemory.Begin(request, facts, directory, replies, clock);
        using (SharedBuffer report = CaptureReport.Write(new ReportHeader { Tracking = memory.Tracker.Tracking }, new ReportParts(memory.Maps, [], [.. memory.Regions], []), new ExtentList()))
        {
            replies.Tracking(
                (WorkerDescriptors.Report, report.File),
                (WorkerDescriptors.Memory, memory.Files.Memory),
                (WorkerDescriptors.Pagemap, memory.Files.Pagemap));
        }

        if (!Expects(replies, WorkerCommandKind.Prepare, out WorkerCommand prepare))
        {
            replies.Released(0);
            return;
        }

        // Where the rounds over the wire did not come down to little, the ones from here on have the spool of strategy direct.
        long room = prepare.Value <= MuchBytes ? 0 : (long)(facts.Status.ResidentBytes + (facts.Status.ResidentBytes / 4));
        for (int stops = 1; ; stops++)
        {
            long wanted = TryInstant(request, replies, clock, memory, facts.Stat.StackStart, room, isFirst: stops == 1, memory.SetupNanoseconds);
            if (wanted == 0)
            {
                return;
            }

            if (stops == MostStops)
            {
                throw new CaptureException(
                    CaptureFailure.SpoolTooSmall,
                    "the target writes to its memory faster than it can be copied, and no image can be made of it: it runs again; allow a longer stop, or ask for strategy direct");
            }

            room = wanted + (wanted / 4);
        }
    }

    /// <returns>0 where the instant was taken and served, or how much room another try needs; the target runs.</returns>
    private static long TryInstant(
        WorkerRequest request, WorkerReplies replies, WorkerClock clock, TrackedMemory memory, ulong stackStart, long room, bool isFirst, long setup)
    {
        using StoppedTarget target = StoppedTarget.Prepare(request, clock, replies);
        if (target.Facts.Stat.StackStart != stackStart)
        {
            throw new CaptureException(
                CaptureFailure.TargetExeced, $"process {request.Pid} called execve while its memory was read: look at the new program and try again");
        }

        using var pause = new PrecopyPause(request, target, memory, room);
        if (isFirst)
        {
            replies.Ready();
            if (!Expects(replies, WorkerCommandKind.TakeInstant, out _))
            {
                replies.Released(0);
                return 0;
            }
        }

        pause.CopyWhileRunning();
        target.Stop(request.StopBudgetNanoseconds, pause.GetReady, pause.BeginScan);
        ProcessImage? image = target.WorkAndResume(pause.Run, out ReportHeader header);
        if (pause.WantedBytes > 0)
        {
            return pause.WantedBytes;
        }

        pause.Describe(ref header, image);
        header.Setup = setup;
        var instant = new TakenInstant
        {
            Header = header,
            Parts = pause.Parts,
            Extents = pause.Extents,
            Files = memory.Files,
            Image = image,
            PauseCopy = pause.Buffer,
            OnServed = memory.Dispose,
        };
        instant.Serve(target, replies, clock);
        return 0;
    }

    private static bool Expects(WorkerReplies replies, WorkerCommandKind kind, out WorkerCommand command) =>
        replies.TryReceive(TimeSpan.FromMilliseconds(int.MaxValue), out command) && command.Kind == kind;
}
