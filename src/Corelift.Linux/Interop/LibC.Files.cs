using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Interop;

/// <content>open(2), openat(2), close(2), read(2), readlinkat(2), getdents64(2).</content>
internal static partial class LibC
{
    /// <summary>open(2). Without O_CREAT: no mode is passed.</summary>
    /// <returns>A descriptor, or -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Open(string path, OpenFlags flags);

    /// <summary>openat(2), <paramref name="path"/> taken from <paramref name="directory"/>. Without O_CREAT.</summary>
    /// <returns>A descriptor, or -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int OpenAt(SafeFileHandle directory, string path, OpenFlags flags);

    /// <summary>close(2). Never repeated after EINTR: Linux has released the descriptor by then.</summary>
    /// <returns>0, or -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "close", SetLastError = true)]
    internal static partial int Close(int descriptor);

    /// <summary>read(2).</summary>
    /// <returns>Bytes read, 0 at the end, or -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "read", SetLastError = true)]
    internal static unsafe partial nint Read(int descriptor, byte* buffer, nuint lengthBytes);

    /// <summary>readlinkat(2). The text has no terminator, and is cut where the buffer ends.</summary>
    /// <returns>Bytes of the text, or -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "readlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static unsafe partial nint ReadLinkAt(SafeFileHandle directory, string path, byte* buffer, nuint lengthBytes);

    /// <summary>getdents64(2).</summary>
    /// <returns>Bytes of linux_dirent64 records, 0 at the end, or -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "getdents64", SetLastError = true)]
    internal static unsafe partial nint GetDents64(int descriptor, byte* buffer, nuint lengthBytes);
}

/// <summary>Flags of open(2), values of x86-64.</summary>
[Flags]
internal enum OpenFlags
{
    ReadOnly = 0, // O_RDONLY
    ReadWrite = 2, // O_RDWR
    NonBlocking = 0x800, // O_NONBLOCK
    Directory = 0x10000, // O_DIRECTORY; another value on AArch64
    NoFollow = 0x20000, // O_NOFOLLOW; another value on AArch64
    CloseOnExec = 0x80000, // O_CLOEXEC
    Path = 0x200000, // O_PATH
}

/// <summary>Offsets of struct linux_dirent64 (include/linux/dirent.h); the name runs up to a zero byte.</summary>
internal static class DirectoryEntry
{
    internal const int LengthOffset = 16; // d_reclen, 2 bytes
    internal const int TypeOffset = 18; // d_type, 1 byte
    internal const int NameOffset = 19; // d_name
}
