using Corelift.Linux.Memory;

namespace Corelift.Linux.Procfs;

/// <summary>What a VMA allows, as maps prints it.</summary>
[Flags]
public enum VmaPermissions : byte
{
    /// <summary>Nothing, private.</summary>
    None = 0,

    /// <summary>x</summary>
    Execute = 1,

    /// <summary>w</summary>
    Write = 2,

    /// <summary>r</summary>
    Read = 4,

    /// <summary>s; p where it is missing. It says MAP_SHARED, not that somebody else maps it.</summary>
    Shared = 8,
}

/// <summary>One virtual memory area: a line of /proc/PID/maps.</summary>
public sealed record Vma
{
    private const string DeletedSuffix = " (deleted)";

    /// <summary>First address; page-aligned.</summary>
    public required RemoteAddress Start { get; init; }

    /// <summary>First address after it; page-aligned, above <see cref="Start"/>.</summary>
    public required RemoteAddress End { get; init; }

    /// <summary>What it allows.</summary>
    public required VmaPermissions Permissions { get; init; }

    /// <summary>Offset into the mapped file, in bytes. Of anonymous memory: 0.</summary>
    public required ulong FileOffsetBytes { get; init; }

    /// <summary>Device of the mapped file, major number.</summary>
    public required uint DeviceMajor { get; init; }

    /// <summary>Device of the mapped file, minor number.</summary>
    public required uint DeviceMinor { get; init; }

    /// <summary>Inode of the mapped file; 0 for anonymous memory, and for the first System V segment.</summary>
    public required ulong Inode { get; init; }

    /// <summary>
    /// Path or pseudo-path; may be empty. A newline in a path is a newline here; " (deleted)" is kept, and bytes that are
    /// not UTF-8 are U+FFFD.
    /// </summary>
    public required string Name { get; init; }

    /// <summary>Length in bytes.</summary>
    public ulong LengthBytes => End - Start;

    /// <summary>Whether it is MAP_SHARED.</summary>
    public bool IsShared => (Permissions & VmaPermissions.Shared) != 0;

    /// <summary>Whether the target itself may read it.</summary>
    public bool IsReadable => (Permissions & VmaPermissions.Read) != 0;

    /// <summary>Whether the target itself may write to it.</summary>
    public bool IsWritable => (Permissions & VmaPermissions.Write) != 0;

    /// <summary>Whether the target may execute it.</summary>
    public bool IsExecutable => (Permissions & VmaPermissions.Execute) != 0;

    /// <summary>Whether a file stands behind it (vm_file); shared anonymous memory and memfds have one, too.</summary>
    public bool IsFileBacked => Inode != 0 || Name.StartsWith('/');

    /// <summary>Whether the file behind it has been unlinked.</summary>
    public bool IsDeleted => IsFileBacked && Name.EndsWith(DeletedSuffix, StringComparison.Ordinal);

    /// <summary>Whether the name is the kernel's and not a path: "[heap]", "[vdso]", "[anon:x]".</summary>
    public bool IsPseudo => !IsFileBacked && Name.StartsWith('[');

    /// <summary>Whether <paramref name="address"/> lies in it.</summary>
    public bool Contains(RemoteAddress address) => address >= Start && address < End;
}
