using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Interop;

/// <content>umask(2), chown(2), setrlimit(2), getegid(2), statx(2).</content>
internal static unsafe partial class LibC
{
    /// <summary>umask(2); never fails, and gives the mask before.</summary>
    [LibraryImport(Library, EntryPoint = "umask")]
    internal static partial uint Umask(uint mask);

    /// <summary>lchown(2); an id of <see cref="uint.MaxValue"/> stays as it is.</summary>
    [LibraryImport(Library, EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Lchown(string path, uint uid, uint gid);

    /// <summary>setrlimit(2) with 64-bit limits.</summary>
    [LibraryImport(Library, EntryPoint = "setrlimit64", SetLastError = true)]
    internal static partial int Setrlimit(int resource, ResourceLimit* limit);

    /// <summary>getegid(2).</summary>
    [LibraryImport(Library, EntryPoint = "getegid")]
    internal static partial uint Getegid();

    /// <summary>statx(2).</summary>
    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Statx(SafeFileHandle directory, string path, int flags, uint mask, StatxInfo* info);

    /// <inheritdoc cref="Statx(SafeFileHandle, string, int, uint, StatxInfo*)"/>
    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Statx(int directory, string path, int flags, uint mask, StatxInfo* info);
}

/// <summary>struct rlimit64 (setrlimit(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceLimit
{
    internal const int Core = 4; // RLIMIT_CORE

    internal ulong Current;
    internal ulong Maximum;
}

/// <summary>struct statx (linux/stat.h), the fields in use.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct StatxInfo
{
    internal const uint TypeMask = 0x1; // STATX_TYPE
    internal const uint LinkCountMask = 0x4; // STATX_NLINK
    internal const uint UidMask = 0x8; // STATX_UID
    internal const int CurrentDirectory = -100; // AT_FDCWD
    internal const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    internal const int FileTypeBits = 0xf000; // S_IFMT
    internal const int SocketType = 0xc000; // S_IFSOCK
    internal const int RegularType = 0x8000; // S_IFREG
    internal const int EmptyPath = 0x1000; // AT_EMPTY_PATH

    [FieldOffset(0)]
    internal uint Mask;

    [FieldOffset(16)]
    internal uint LinkCount;

    [FieldOffset(20)]
    internal uint Uid;

    [FieldOffset(24)]
    internal uint Gid;

    [FieldOffset(28)]
    internal ushort Mode;
}
