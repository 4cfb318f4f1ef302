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
    private TrackedMemory(WriteTracker tracker, TargetFiles files, byte[] maps, List<CaptureRegion> regions)
    {
        Tracker = tracker;
        Files = files;
        Maps = maps;
        Regions = regions;
    }

    /// <summary>What tracks the writes.</summary>
    internal WriteTracker Tracker { get; }

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
        Handles handles = default;
        string refusal = BriefStop.Run(
            facts,
            directory,
            clock,
            request.StopBudgetNanoseconds,
            (caller, deadline) => Open(facts, caller, deadline, out handles),
            out long stopped,
            new Permission(request, replies));
        (WriteTracker? tracker, SafeFileHandle? clearRefs, TargetFiles files) = handles;
        using (clearRefs)
        {
            try
            {
                if (tracker is null || files.Memory is null || files.Pagemap is null)
                {
                    throw Refuse(refusal.Length > 0 ? refusal : "the kernel does not track writes for us, or its files cannot be opened there");
                }

                TrackedMemory memory = Register(request, facts, tracker, files, clearRefs);
                memory.SetupNanoseconds = stopped;
                return memory;
            }
            catch
            {
                tracker?.Dispose();
                files.Close();
                throw;
            }
        }
    }

    /// <summary>Tracks mappings that came since, too: then they can be copied before the stop as well.</summary>
    internal void TrackNew(byte[] maps, List<Vma> vmas, List<CaptureRegion> regions)
    {
        // By soft-dirty bits, what is not registered is known to be new.
        if (Tracker.Tracking == WriteTracking.SoftDirty || maps.AsSpan().SequenceEqual(Maps))
        {
            return;
        }

        int last = -1;
        foreach (CaptureRegion region in regions)
        {
            if (region.Source == RegionSource.Tracked && region.VmaIndex != last)
            {
                last = region.VmaIndex;
                _ = Track(Tracker, vmas[last]); // those that are tracked already stay so
            }
        }
    }

    /// <summary>Ends the tracking and takes every protection away.</summary>
    public void Dispose()
    {
        Tracker.Dispose();
        Files.Close();
    }

    private static string Open(TargetFacts facts, RemoteCaller caller, long deadline, out Handles handles)
    {
        handles = default;
        if (ProcessImage.Create(caller, isPeer: true, deadline, out Errno errno) is not { } peer)
        {
            return $"the kernel refuses a helper ({errno})";
        }

        if (peer.LeaveFileTable(deadline))
        {
            WriteTracker? tracker = peer.OpenUserfault(deadline) is { } userfault ? WriteTracker.Begin(userfault) : null;
            SafeFileHandle? clearRefs = tracker?.Tracking == WriteTracking.SoftDirty ? peer.OpenClearRefs(deadline) : null;
            TargetFiles files = facts.CanOpenMem
                ? new TargetFiles(
                    facts.Directory.OpenForReading("mem"), facts.Directory.OpenForReading("pagemap"), facts.Directory.ReadFile("auxv"))
                : TargetFiles.From(peer, deadline);
            handles = new Handles(tracker, clearRefs, files);
        }

        peer.Kill(deadline);
        return ProcessImage.Reap(caller, peer.PidInTarget, deadline) ? string.Empty : "the helper could not be reaped";
    }

    /// <summary>Not in the brief stop: it takes milliseconds for a gigabyte, and the target runs meanwhile.</summary>
    private static void ResetSoftDirty(TargetFacts facts, SafeFileHandle pagemap, SafeFileHandle? clearRefs)
    {
        if (PrecopyHazards.FindForSoftDirty(facts) is { } hazard)
        {
            throw Refuse(hazard);
        }

        IEnumerable<PageRun> writable = facts.Vmas.Where(v => v.Vma.IsWritable && !v.Vma.IsShared)
            .Select(v => new PageRun(v.Vma.Start.Value, v.Vma.End.Value));
        if (clearRefs is null
            || !SoftDirtyBits.TryReset(clearRefs, new Pagemap((int)pagemap.DangerousGetHandle(), WriteTracking.SoftDirty), writable))
        {
            throw Refuse("its clear_refs (proc(5)) cannot be opened there, or does not reset soft-dirty bits");
        }
    }

    private static TrackedMemory Register(
        WorkerRequest request, TargetFacts facts, WriteTracker tracker, TargetFiles files, SafeFileHandle? clearRefs)
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

        if (tracker.Tracking == WriteTracking.SoftDirty)
        {
            ResetSoftDirty(facts, files.Pagemap!, clearRefs); // what is new since the maps were read is not registered
        }

        return new TrackedMemory(tracker, files, maps, regions);
    }

    /// <summary>Older kernels register no file mappings: those go by soft-dirty bits alone.</summary>
    private static bool Track(WriteTracker tracker, Vma vma) => tracker.Register(vma.Start.Value, vma.End.Value) switch
    {
        Errno.None => true,
        Errno.NoSuchTask => throw new CaptureException(CaptureFailure.TargetExited, "the target ended, or called execve, while it was being prepared"),
        Errno.Busy when tracker.Tracking == WriteTracking.SoftDirty => throw Refuse("it handles page faults by itself (userfaultfd)"),
        _ => tracker.Tracking == WriteTracking.SoftDirty && vma.IsFileBacked,
    };

    private static CaptureException Refuse(string reason) => new(
        CaptureFailure.PrecopyNotPossible, $"what the target writes cannot be tracked: {reason}; ask for strategy fork or direct, or let the agent choose");

    /// <summary>What a helper opened; the second for soft-dirty bits only.</summary>
    private readonly record struct Handles(WriteTracker? Tracker, SafeFileHandle? ClearRefs, TargetFiles Files);
}
