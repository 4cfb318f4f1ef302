using Corelift.Capture;
using Corelift.Linux.Procfs;
using Google.Protobuf.WellKnownTypes;
using Wire = Corelift.V1;

namespace Corelift.Agent.Services;

/// <summary>Types of the engine as types of the wire contract, and back. The only place where both are known.</summary>
internal static class WireMapping
{
    private const long NanosecondsPerSecond = 1_000_000_000;

    internal static Wire.ProcessRef ToWire(this Linux.ProcessRef target) =>
        new() { Pid = (uint)target.Pid, StartTimeTicks = target.StartTimeTicks };

    internal static Duration ToDuration(long nanoseconds) =>
        new() { Seconds = nanoseconds / NanosecondsPerSecond, Nanos = (int)(nanoseconds % NanosecondsPerSecond) };

    internal static Wire.LiveRound ToWire(this LiveRound round) => new()
    {
        Round = (uint)round.Number,
        MemoryBytes = round.MemoryBytes,
        Duration = Duration.FromTimeSpan(round.Duration),
    };

    internal static Wire.Strategy ToWire(this CaptureStrategy strategy) => strategy switch
    {
        CaptureStrategy.Direct => Wire.Strategy.Direct,
        CaptureStrategy.Fork => Wire.Strategy.Fork,
        CaptureStrategy.Precopy => Wire.Strategy.Precopy,
        _ => Wire.Strategy.Unspecified,
    };

    internal static Wire.Content ToWire(this CaptureContent content) => content switch
    {
        CaptureContent.Full => Wire.Content.Full,
        CaptureContent.Stacks => Wire.Content.Stacks,
        _ => Wire.Content.Default,
    };

    internal static Wire.HoleReason ToWire(this HoleCause cause) => (Wire.HoleReason)(int)cause;

    internal static Wire.Consistency ToWire(this Consistency consistency) => consistency switch
    {
        Consistency.Instant => Wire.Consistency.Instant,
        Consistency.File => Wire.Consistency.File,
        Consistency.Live => Wire.Consistency.Live,
        Consistency.Shared => Wire.Consistency.Shared,
        Consistency.SharedLive => Wire.Consistency.SharedLive,
        _ => Wire.Consistency.Unspecified,
    };

    internal static Wire.AddressRange ToRange(ulong start, ulong end) => new() { Start = start, End = end };

    internal static Wire.Vma ToWire(this Vma vma) => new()
    {
        Range = ToRange(vma.Start.Value, vma.End.Value),
        Permissions = FormatPermissions(vma),
        FileOffsetBytes = vma.FileOffsetBytes,
        DeviceMajor = vma.DeviceMajor,
        DeviceMinor = vma.DeviceMinor,
        Inode = vma.Inode,
        Name = vma.Name,
    };

    internal static Wire.CapturedVma ToWire(this CapturedVma captured)
    {
        var wire = new Wire.CapturedVma { Vma = captured.Vma.ToWire() };
        foreach (CaptureRegion region in captured.Regions)
        {
            wire.Regions.Add(new Wire.Region
            {
                Range = ToRange(region.Start, region.End),
                Consistency = region.Consistency.ToWire(),
                HoleReason = region.Hole.ToWire(),
            });
        }

        return wire;
    }

    internal static Wire.CapturePlan ToWire(this CapturePlan plan, CaptureContent content)
    {
        var wire = new Wire.CapturePlan
        {
            Strategy = plan.Strategy.ToWire(),
            Content = content.ToWire(),
            EstimatedPause = Duration.FromTimeSpan(plan.EstimatedPause),
            Bytes = new Wire.CaptureBytes
            {
                AnonymousBytes = plan.AnonymousBytes,
                FileBytes = plan.FileBytes,
                SharedBytes = plan.SharedBytes,
                TotalBytes = plan.TotalBytes,
                PauseCopyBytes = plan.PauseCopyBytes,
            },
            ThreadCount = (uint)plan.ThreadCount,
            VmaCount = (uint)plan.VmaCount,
        };
        wire.Reasons.AddRange(plan.Reasons);
        wire.Warnings.AddRange(plan.Warnings);
        return wire;
    }

    private static string FormatPermissions(Vma vma) =>
        (vma.IsReadable ? "r" : "-") + (vma.IsWritable ? "w" : "-") + (vma.IsExecutable ? "x" : "-") + (vma.IsShared ? "s" : "p");
}
