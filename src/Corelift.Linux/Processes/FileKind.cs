using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Processes;

/// <summary>What kind of file a path names; .NET does not tell sockets from others.</summary>
public static unsafe class FileKind
{
    /// <summary>Whether a descriptor is of a regular file.</summary>
    public static bool IsRegular(SafeFileHandle file)
    {
        ArgumentNullException.ThrowIfNull(file);
        StatxInfo info;
        return LibC.Statx(file, string.Empty, StatxInfo.EmptyPath, StatxInfo.TypeMask, &info) == 0
            && (info.Mode & StatxInfo.FileTypeBits) == StatxInfo.RegularType;
    }

    /// <summary>Whether the path names a socket; a symbolic link to one does not count.</summary>
    public static bool IsSocket(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        StatxInfo info;
        return LibC.Statx(StatxInfo.CurrentDirectory, path, StatxInfo.NoFollow, StatxInfo.TypeMask, &info) == 0
            && (info.Mode & StatxInfo.FileTypeBits) == StatxInfo.SocketType;
    }
}
