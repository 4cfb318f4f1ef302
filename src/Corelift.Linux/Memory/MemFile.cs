using System.Runtime.InteropServices;
using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Memory;

/// <summary>
/// An open /proc/PID/mem: the kernel checks permission at the open, so a descriptor that was handed over goes on working
/// without any capability. Copies no shared page, and answers at once on a userfaultfd page whose handler is stopped.
/// </summary>
public static unsafe class MemFile
{
    /// <summary>Copies bytes, stopping at the first page that cannot be read.</summary>
    /// <param name="mem">A descriptor of /proc/PID/mem.</param>
    /// <param name="address">First byte; below 2^63.</param>
    /// <param name="destination">Receives the bytes.</param>
    /// <param name="errno">Why nothing could be read where 0 is returned: InputOutput (EIO) for an unreadable page; None
    /// (end of file) where the process has gone.</param>
    /// <returns>Bytes copied, 0 to the length.</returns>
    /// <remarks>Source: proc_pid_mem(5); fs/proc/base.c, mem_rw.</remarks>
    public static int Read(SafeFileHandle mem, RemoteAddress address, Span<byte> destination, out Errno errno)
    {
        fixed (byte* buffer = destination)
        {
            return Read((int)mem.DangerousGetHandle(), address.Value, buffer, destination.Length, out errno);
        }
    }

    internal static int Read(int descriptor, ulong address, byte* destination, int length, out Errno errno)
    {
        nint copied = LibC.Pread(descriptor, destination, (nuint)length, unchecked((long)address));
        errno = copied < 0 ? (Errno)Marshal.GetLastPInvokeError() : Errno.None;
        return copied < 0 ? 0 : (int)copied;
    }
}
