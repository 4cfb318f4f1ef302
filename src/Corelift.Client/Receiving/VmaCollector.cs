using System.Text;
using Corelift.Elf;
using Corelift.V1;

namespace Corelift.Client.Receiving;

/// <summary>Takes VMAs as they come, each checked: those of an instant up to the announced number, live ones up to the limit.</summary>
internal sealed class VmaCollector(uint? expected, uint pageSizeBytes, SnapshotLimits limits)
{
    private long _namesBytes;
    private int _regionCount;
    private ulong _end;

    internal List<CoreVma> Vmas { get; } = [];

    internal RangeList Captured { get; } = new();

    internal List<RecordHole> Elisions { get; } = [];

    internal List<RecordInconsistency> NotOfTheInstant { get; } = [];

    /// <summary>Regions with bytes.</summary>
    internal int CapturedRegionCount { get; private set; }

    internal bool IsComplete => Vmas.Count == expected;

    internal void Add(CapturedVma captured)
    {
        if (IsComplete)
        {
            throw SnapshotException.Violation($"more than the announced {expected} VMAs");
        }

        if (Vmas.Count >= limits.MaxVmas)
        {
            throw SnapshotException.Limit($"more than {limits.MaxVmas} VMAs");
        }

        if (captured.Vma?.Range is not { } range)
        {
            throw SnapshotException.Violation("a VMA without its range");
        }

        Vma vma = captured.Vma;
        CheckRange("VMA", range);
        if (range.Start < _end)
        {
            throw SnapshotException.Violation($"the VMA at 0x{range.Start:x} overlaps the one before it, or comes after a later one");
        }

        CheckSize(captured);
        Vmas.Add(new CoreVma
        {
            Start = range.Start,
            End = range.End,
            Flags = ToFlags(vma.Permissions),
            Path = vma.Name.StartsWith('/') && !vma.Name.Contains('\0', StringComparison.Ordinal) ? vma.Name : "",
            FileOffsetBytes = vma.FileOffsetBytes,
            Regions = ToRegions(captured, range),
        });
        _end = range.End;
    }

    private void CheckSize(CapturedVma captured)
    {
        int nameBytes = Encoding.UTF8.GetByteCount(captured.Vma.Name);
        _namesBytes += nameBytes;
        _regionCount += captured.Regions.Count;
        if (nameBytes > limits.MaxNameBytes || _namesBytes > limits.MaxNamesBytes)
        {
            throw SnapshotException.Limit($"names of VMAs of {_namesBytes} bytes");
        }

        if (_regionCount > limits.MaxRegions)
        {
            throw SnapshotException.Limit($"more than {limits.MaxRegions} regions");
        }
    }

    private CoreRegion[] ToRegions(CapturedVma captured, AddressRange vma)
    {
        CoreRegion[] regions = new CoreRegion[captured.Regions.Count];
        ulong at = vma.Start;
        for (int index = 0; index < regions.Length; index++)
        {
            Region region = captured.Regions[index];
            if (region.Range is not { } range || range.Start != at || range.End > vma.End)
            {
                throw SnapshotException.Violation($"regions of the VMA at 0x{vma.Start:x} that do not follow each other");
            }

            CheckRange("region", range);
            regions[index] = new CoreRegion(range.Start, range.End, region.Consistency != Consistency.Unspecified);
            Note(region);
            at = range.End;
        }

        return at == vma.End
            ? regions
            : throw SnapshotException.Violation($"regions of the VMA at 0x{vma.Start:x} that end before it does");
    }

    private void Note(Region region)
    {
        AddressRange range = region.Range;
        if (region.Consistency == Consistency.Unspecified)
        {
            Elisions.Add(new RecordHole(range.Start, range.End, WireNames.Of(region.HoleReason)));
            return;
        }

        Captured.Add(range.Start, range.End);
        CapturedRegionCount++;
        if (WireNames.Inconsistency(region.Consistency) is { } found)
        {
            NotOfTheInstant.Add(new RecordInconsistency(range.Start, range.End, found.Name, found.Why));
        }
    }

    private void CheckRange(string what, AddressRange range)
    {
        if (range.Start >= range.End || range.Start % pageSizeBytes != 0 || range.End % pageSizeBytes != 0)
        {
            throw SnapshotException.Violation(
                $"a {what} 0x{range.Start:x}-0x{range.End:x} that is empty, backwards or not page-aligned");
        }
    }

    private static CoreVmaFlags ToFlags(string permissions)
    {
        if (permissions.Length != 4)
        {
            throw SnapshotException.Violation("permissions of a VMA that are not like 'rwxp'");
        }

        return (permissions[0] == 'r' ? CoreVmaFlags.Read : CoreVmaFlags.None)
            | (permissions[1] == 'w' ? CoreVmaFlags.Write : CoreVmaFlags.None)
            | (permissions[2] == 'x' ? CoreVmaFlags.Execute : CoreVmaFlags.None);
    }
}
