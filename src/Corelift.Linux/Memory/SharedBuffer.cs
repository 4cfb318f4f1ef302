using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Memory;

/// <summary>
/// Memory that two processes of ours share: a memfd, or an unlinked file, mapped here. Pages are made at creation, so that
/// filling it costs no page fault while somebody is stopped.
/// </summary>
public sealed unsafe class SharedBuffer : IDisposable
{
    private const uint CloseOnExec = 1;         // MFD_CLOEXEC
    private const int ReadWrite = 3;            // PROT_READ | PROT_WRITE
    private const int ReadOnly = 1;             // PROT_READ
    private const int MapShared = 1;            // MAP_SHARED
    private const int MapPopulate = 0x8000;     // MAP_POPULATE

    private byte* _start;

    private SharedBuffer(SafeFileHandle file, byte* start, long lengthBytes)
    {
        File = file;
        _start = start;
        LengthBytes = lengthBytes;
    }

    /// <summary>The descriptor to hand over.</summary>
    public SafeFileHandle File { get; }

    /// <summary>Length in bytes.</summary>
    public long LengthBytes { get; private set; }

    internal byte* Start => _start;

    /// <summary>Creates a memfd of this length, all zero, its pages present.</summary>
    /// <exception cref="SyscallException">No memory, or no descriptor.</exception>
    public static SharedBuffer Create(string name, long lengthBytes)
    {
        int descriptor = LibC.MemfdCreate(name, CloseOnExec);
        if (descriptor < 0)
        {
            throw SyscallException.FromLastError("memfd_create", 0);
        }

        var file = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            return Allocate(file, lengthBytes);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Makes <paramref name="file"/> this long with its blocks allocated, and maps it. Owns the file from then on.</summary>
    /// <exception cref="SyscallException">No space.</exception>
    public static SharedBuffer Allocate(SafeFileHandle file, long lengthBytes)
    {
        long length = Math.Max(4096, (lengthBytes + 4095) & ~4095L);
        int descriptor = (int)file.DangerousGetHandle();
        if (LibC.Ftruncate(descriptor, length) < 0)
        {
            throw SyscallException.FromLastError("ftruncate", 0);
        }

        // fallocate first: a full tmpfs or disk is an error here, and a SIGBUS at the first write without it.
        if (LibC.Fallocate(descriptor, 0, 0, length) < 0)
        {
            throw SyscallException.FromLastError("fallocate", 0);
        }

        return Map(file, length, ReadWrite, MapPopulate);
    }

    /// <summary>Maps a file that was handed over, read-only. Owns the file from then on.</summary>
    /// <exception cref="SyscallException">It cannot be mapped.</exception>
    public static SharedBuffer Open(SafeFileHandle file)
    {
        long length = RandomAccess.GetLength(file);
        return Map(file, length, ReadOnly, 0);
    }

    /// <summary>A part of the buffer, at most 2 GiB.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not inside the buffer.</exception>
    public Span<byte> Slice(long offset, int lengthBytes)
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lengthBytes, LengthBytes - offset);
        return new Span<byte>(_start + offset, lengthBytes);
    }

    /// <summary>Unmaps it and closes the descriptor.</summary>
    public void Dispose()
    {
        if (_start is not null)
        {
            _ = LibC.Munmap(_start, (nuint)LengthBytes);
            _start = null;
        }

        File.Dispose();
    }

    private static SharedBuffer Map(SafeFileHandle file, long length, int protection, int flags)
    {
        void* start = LibC.Mmap(null, (nuint)length, protection, MapShared | flags, (int)file.DangerousGetHandle(), 0);
        return (nint)start == -1
            ? throw SyscallException.FromLastError("mmap", 0)
            : new SharedBuffer(file, (byte*)start, length);
    }
}
