using System.Globalization;
using Corelift.Capture.Planning;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>One capture: stop, registers, what the strategy needs, resume, and an image that is held while it is read.</summary>
internal static class CaptureTask
{
    internal static void Run(WorkerRequest request, WorkerReplies replies, WorkerClock clock, SafeFileHandle? spoolFile, SafeFileHandle? ownMemFile)
    {
        using StoppedTarget target = StoppedTarget.Prepare(request, clock, replies);
        bool fork = request.Strategy == CaptureStrategy.Fork;
        if (fork && target.NoCallsBecause is { } reason)
        {
            throw new CaptureException(CaptureFailure.ForkNotSafe, $"no image can be made: {reason}");
        }

        var debuggerPages = request.Content == CaptureContent.Stacks ? DebuggerPages.Find(target.Facts) : [];
        using SharedBuffer? pauseBuffer = CreatePauseBuffer(request, target.Facts, debuggerPages, spoolFile, ownMemFile);
        using var copier = pauseBuffer is null ? null : new PauseCopier(pauseBuffer);
        target.Stop(request.StopBudgetNanoseconds);

        var pause = new PauseWork(request, target, copier, debuggerPages);
        ProcessImage? image = target.WorkAndResume(pause.Run, out ReportHeader header);
        (header.Strategy, header.ImagePid) = (request.Strategy, image?.Tid ?? 0);
        (header.Copy, header.Fork) = (pause.CopyNanoseconds, pause.ForkNanoseconds);
        header.CopyAddress = pauseBuffer?.AddressInMemFile ?? 0;
        (header.ScratchStart, header.ScratchEnd) = pause.MadeCalls ? (target.ScratchStart, target.ScratchEnd) : (0, 0);
        var instant = new TakenInstant
        {
            Header = header,
            Parts = new ReportParts(pause.Maps, [], [.. pause.Regions], pause.Unreadable),
            Extents = pause.Extents,
            Files = pause.TargetFiles,
            Image = image,
            PauseCopy = pauseBuffer,
        };
        instant.Serve(target, replies, clock);
    }

    /// <summary>
    /// A buffer for what is copied in the pause: as large as what smaps shows of it now, and an eighth more; null where nothing is.
    /// </summary>
    private static SharedBuffer? CreatePauseBuffer(
        WorkerRequest request, TargetFacts facts, IReadOnlyCollection<ulong> debuggerPages, SafeFileHandle? spoolFile, SafeFileHandle? ownMemFile)
    {
        const long Slack = 4L << 20;
        const long LeastPrivate = 64L << 20; // less is made quickly either way, and outlives us in a memfd
        var selector = new ContentSelector(new SelectionInput
        {
            Content = request.Content,
            CoredumpFilter = facts.CoredumpFilter,
            IsCoreClr = facts.IsCoreClr,
            Secrets = request.Secrets.ToSecretMemory(),
            DebuggerPages = debuggerPages,
        });
        CaptureBytesByKind bytes = CaptureBytesByKind.Sum(facts.Vmas, selector, facts.Status.ThreadCount, request.Content);
        bool fork = request.Strategy == CaptureStrategy.Fork;
        long wanted = (long)(fork ? bytes.PauseCopy : PresentBytes(facts, selector) + (request.Content == CaptureContent.Stacks ? bytes.Anonymous : 0));
        if (fork && !facts.Vmas.Exists(v => v.Vma.IsShared || (v.Flags & (VmaKernelFlags.DontCopy | VmaKernelFlags.WipeOnFork)) != 0))
        {
            return null;
        }

        long limit = fork ? request.PauseCopyLimitBytes : request.SpoolLimitBytes;
        long length = Math.Min(wanted + (wanted / 8) + Slack, limit);
        try
        {
            return spoolFile is not null ? SharedBuffer.Allocate(spoolFile, length)
                : ownMemFile is not null && length >= LeastPrivate ? SharedBuffer.CreatePrivate(ownMemFile, length)
                : SharedBuffer.Create("corelift-pause-copy", length);
        }
        catch (SyscallException failure)
        {
            throw new CaptureException(
                CaptureFailure.SpoolTooSmall,
                string.Create(CultureInfo.InvariantCulture, $"no room for a spool of {length >> 20} MiB ({failure.Message}): nothing was stopped"));
        }
    }

    private static ulong PresentBytes(TargetFacts facts, ContentSelector selector)
    {
        ulong sum = 0;
        var pieces = new List<Selected>();
        foreach (VmaDetails details in facts.Vmas)
        {
            pieces.Clear();
            selector.Select(details.Vma, details, pieces);
            ulong selected = pieces.Aggregate(0UL, (total, piece) => total + (piece.Hole == HoleCause.None ? piece.End - piece.Start : 0));
            bool whole = selected > 0 && details.Vma.IsFileBacked && !RegionPlanner.IsMemoryObject(details.Vma) && !facts.CanReadFile(details.Vma);
            sum += whole
                ? selected
                : Math.Min(selected, details.ResidentBytes + details.SwappedBytes + details.PrivateHugetlbBytes + details.SharedHugetlbBytes);
        }

        return sum;
    }
}
