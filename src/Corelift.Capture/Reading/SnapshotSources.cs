using System.Globalization;
using Corelift.Capture.Worker;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Procfs;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Reading;

/// <summary>Where the bytes of a snapshot come from.</summary>
internal sealed class SnapshotSources : IDisposable
{
    private readonly Dictionary<string, SafeFileHandle?> _files = new(StringComparer.Ordinal);

    internal required IReadOnlyList<CaptureRegion> Regions { get; init; }

    internal required IReadOnlyList<Vma> Vmas { get; init; }

    internal PauseExtent[] Extents { get; init; } = [];

    internal UnreadableRun[] Unreadable { get; init; } = [];

    internal SharedBuffer? PauseCopy { get; init; }

    internal SafeFileHandle? Memory { get; init; }

    internal SafeFileHandle? Pagemap { get; init; }

    internal SafeFileHandle? LiveMemory { get; init; }

    internal SafeFileHandle? LivePagemap { get; init; }

    /// <summary>The target's /proc directory, by whose root its mapped files are opened.</summary>
    internal ProcessDirectory? Directory { get; init; }

    internal ulong ScratchStart { get; init; }

    internal ulong ScratchEnd { get; init; }

    /// <summary>Whether the memory is that of a target under a lease; its descriptors are the lease's.</summary>
    internal bool IsLease { get; init; }

    /// <summary>Index of the first extent that ends above an address.</summary>
    internal int FindExtent(ulong address)
    {
        int low = 0;
        int high = Extents.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = Extents[middle].Address + Extents[middle].LengthBytes <= address ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    internal IEnumerable<UnreadableRun> UnreadableIn(ulong start, ulong end) =>
        Unreadable.Length == 0 ? [] : Unreadable.Where(r => r.Start >= start && r.End <= end);

    /// <summary>Opens the file behind a VMA as the target sees it; null where it is another by now, or not readable.</summary>
    internal SafeFileHandle? OpenFile(Vma vma)
    {
        if (!_files.TryGetValue(vma.Name, out SafeFileHandle? file))
        {
            file = TryOpen(vma);
            _files.Add(vma.Name, file);
        }

        return file;
    }

    public void Dispose()
    {
        foreach (SafeFileHandle? file in _files.Values)
        {
            file?.Dispose();
        }

        PauseCopy?.Dispose();
        Directory?.Dispose();
        if (!IsLease)
        {
            Memory?.Dispose();
            Pagemap?.Dispose();
            LiveMemory?.Dispose();
            LivePagemap?.Dispose();
        }
    }

    private SafeFileHandle? TryOpen(Vma vma)
    {
        if (Directory is null || !vma.IsFileBacked || vma.IsDeleted || !vma.Name.StartsWith('/'))
        {
            return null;
        }

        try
        {
            SafeFileHandle file = Directory.OpenForReading(string.Create(CultureInfo.InvariantCulture, $"root{vma.Name}"));
            if (FileIdentity.Of(file) is { } identity && identity.Inode == vma.Inode)
            {
                return file;
            }

            file.Dispose();
        }
        catch (SyscallException)
        {
            // Not readable for us; the region says so.
        }

        return null;
    }
}
