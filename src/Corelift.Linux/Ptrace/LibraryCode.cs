using Corelift.Linux.Procfs;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// Code of the C library. Its system calls stand in functions that are called, so their argument registers are nobody's once
/// the call has returned; code that has the instruction in line may count on the kernel to keep them.
/// </summary>
internal sealed class LibraryCode
{
    private readonly List<(ulong Start, ulong End)> _ranges = [];

    /// <summary>Finds it; before the stop.</summary>
    internal void Find(IEnumerable<Vma> vmas)
    {
        _ranges.Clear();
        _ranges.AddRange(vmas.Where(v => v.IsExecutable && v.IsFileBacked && IsCLibrary(Path.GetFileName(v.Name.AsSpan())))
            .Select(v => (v.Start.Value, v.End.Value)));
    }

    internal bool Contains(ulong address)
    {
        foreach ((ulong start, ulong end) in _ranges)
        {
            if (address >= start && address < end)
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsCLibrary(ReadOnlySpan<char> file) =>
        file.StartsWith("libc.so") || file.StartsWith("libc-2.") || file.StartsWith("libpthread") || file.StartsWith("ld-musl")
        || file.StartsWith("libc.musl");
}
