using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>
/// A running target whose writes are tracked, with descriptors of its mem and pagemap. To begin, its main thread alone is
/// stopped for some hundred microseconds: a helper that shares its memory makes the userfaultfd and opens the files.
/// </summary>
internal sealed class TrackedMemory : IDisposable
{
    private readonly WriteTracker _tracker;

    private TrackedMemory(WriteTracker tracker, TargetFiles files, byte[] maps, List<CaptureRegion> regions)
    {
        _tracker = tracker;
        Files = files;
        Maps = maps;
        Regions = regions;
    }

    /// <summary>mem, pagemap and auxv of the target; the first two are never null.</summary>
    internal TargetFiles Files { get; }

    /// <summary>How long the main thread alone was stopped to make the descriptors, in nanoseconds.</summary>
    internal long SetupNanoseconds { get; private set; }

    /// <summary>
    /// What was copied by the worker while the target ran, and so counts as not written to: ascending. The agent has not read it.
    /// </summary>
    internal PageRun[] TakenLocally { get; set; } = [];

    /// <summary>The text of maps when the tracking began.</summary>
    internal byte[] Maps { get; }

    /// <summary>What to read while the target runs; regions that are copied in the pause have no bytes here.</summary>
    internal List<CaptureRegion> Regions { get; }

    /// <summary>Begins to track a target's writes.</summary>
    /// <exception cref="CaptureException">PrecopyNotPossible, with the reason; the target is as it was.</exception>
    internal static TrackedMemory Begin(WorkerRequest request, TargetFacts facts, ProcessDirectory directory, WorkerReplies replies, WorkerClock clock)
    {
        SafeFileHandle? userfault = null;
        TargetFiles files = default;
        string refusal = BriefStop.Run(
            facts,
            directory,
            clock,
            request.StopBudgetNanoseconds,
            (caller, deadline) => Open(facts, caller, deadline, out userfault, out files),
            out long stopped,
            new Permission(request, replies));
        WriteTracker? tracker = userfault is null ? null : WriteTracker.Begin(userfault);
        if (tracker is null || files.Memory is null || files.Pagemap is null)
        {
            tracker?.Dispose();
            files.Close();
            throw Refuse(refusal.Length > 0 ? refusal : "the kernel does not track writes for us, or its files cannot be opened there");
        }

        try
        {
            TrackedMemory memory = Register(request, facts, tracker, files);
            memory.SetupNanoseconds = stopped;
            return memory;
        }
        catch
        {
            tracker.Dispose();
            files.Close();
            throw;
        }
    }

    /// <summary>Tracks mappings that came since, too: then they can be copied before the stop as well.</summary>
    internal void TrackNew(byte[] maps, List<Vma> vmas, List<CaptureRegion> regions)
    {
        if (maps.AsSpan().SequenceEqual(Maps))
        {
            return;
        }

        int last = -1;
        foreach (CaptureRegion region in regions)
        {
            if (region.Source == RegionSource.Tracked && region.VmaIndex != last)
            {
                last = region.VmaIndex;
                _ = Track(_tracker, vmas[last]); // those that are tracked already stay so
            }
        }
    }

    /// <summary>Ends the tracking and takes every protection away.</summary>
    public void Dispose()
    {
        _tracker.Dispose();
        Files.Close();
    }

    private static string Open(TargetFacts facts, RemoteCaller caller, long deadline, out SafeFileHandle? userfault, out TargetFiles files)
    {
        (userfault, files) = (null, default);
        if (ProcessImage.Create(caller, isPeer: true, deadline, out Errno errno) is not { } peer)
        {
            return $"the kernel refuses a helper ({errno})";
        }

        if (peer.LeaveFileTable(deadline))
        {
            userfault = peer.OpenUserfault(deadline);
            files = facts.CanOpenMem
                ? new TargetFiles(
                    facts.Directory.OpenForReading("mem"), facts.Directory.OpenForReading("pagemap"), facts.Directory.ReadFile("auxv"))
                : TargetFiles.From(peer, deadline);
        }

        peer.Kill(deadline);
        return ProcessImage.Reap(caller, peer.PidInTarget, deadline) ? string.Empty : "the helper could not be reaped";
    }

    private static TrackedMemory Register(WorkerRequest request, TargetFacts facts, WriteTracker tracker, TargetFiles files)
    {
        byte[] maps = facts.Directory.ReadFile("maps");
        List<Vma> vmas = MapsParser.Parse(maps, ProcfsLimits.Default);
        var selector = new ContentSelector(new SelectionInput
        {
            Content = request.Content,
            CoredumpFilter = facts.CoredumpFilter,
            IsCoreClr = facts.IsCoreClr,
            Secrets = request.Secrets.ToSecretMemory(),
        });
        List<CaptureRegion> regions = RegionPlanner.PlanPrecopy(vmas, facts.Vmas, selector, request.PauseCopyLimitBytes);
        (int vma, bool tracked) = (-1, false);
        for (int i = 0; i < regions.Count; i++)
        {
            CaptureRegion region = regions[i];
            if (region.Source == RegionSource.Tracked && region.VmaIndex != vma)
            {
                (vma, tracked) = (region.VmaIndex, Track(tracker, vmas[region.VmaIndex]));
            }

            // What is copied in the pause, or cannot be tracked, is not read before it.
            bool later = region.Source == RegionSource.PauseCopy || (region.Source == RegionSource.Tracked && !tracked);
            regions[i] = later ? region with { Consistency = Consistency.None, Hole = HoleCause.NotInContent, Source = RegionSource.None } : region;
        }

        return new TrackedMemory(tracker, files, maps, regions);
    }

    private static bool Track(WriteTracker tracker, Vma vma) => tracker.Register(vma.Start.Value, vma.End.Value) switch
    {
        Errno.None => true,
        Errno.NoSuchTask => throw new CaptureException(CaptureFailure.TargetExited, "the target ended, or called execve, while it was being prepared"),
        _ => false,
    };

    private static CaptureException Refuse(string reason) => new(
        CaptureFailure.PrecopyNotPossible, $"what the target writes cannot be tracked: {reason}; ask for strategy fork or direct, or let the agent choose");
}
