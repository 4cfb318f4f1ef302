using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Processes;

/// <summary>Which file a descriptor is of.</summary>
/// <param name="Inode">Inode number.</param>
public readonly record struct FileIdentity(ulong Inode)
{
    /// <summary>The identity of an open file, or null where the kernel does not say.</summary>
    /// <remarks>statx(2) rather than fstat(2): its struct is the same on every architecture.</remarks>
    public static unsafe FileIdentity? Of(SafeFileHandle file)
    {
        const int EmptyPath = 0x1000;           // AT_EMPTY_PATH
        const uint WantInode = 0x100;           // STATX_INO
        const int InodeOffset = 32;             // struct statx, stx_ino
        const int StatxBytes = 256;
        ArgumentNullException.ThrowIfNull(file);
        byte* buffer = stackalloc byte[StatxBytes];
        return LibC.Statx((int)file.DangerousGetHandle(), string.Empty, EmptyPath, WantInode, buffer) == 0
            ? new FileIdentity(*(ulong*)(buffer + InodeOffset))
            : null;
    }
}
