using System.Buffers;
using Corelift.Linux.Interop;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Linux.Memory;

/// <summary>
/// Memory that two processes of ours share: a memfd, or an unlinked file, mapped here, or private memory that one of them has
/// and the other reads. Pages are made at creation, so that filling it costs no page fault while somebody is stopped; a large
/// one is made of huge pages where the host allows them (transparent_hugepage/enabled, for a memfd shmem_enabled) and they are
/// made faster.
/// </summary>
public sealed unsafe class SharedBuffer : IDisposable
{
    private const uint CloseOnExec = 1;         // MFD_CLOEXEC
    private const uint AllowSealing = 2;        // MFD_ALLOW_SEALING
    private const int AddSeals = 1033;          // F_ADD_SEALS
    private const int SealAll = 0x1 | 0x2 | 0x4 | 0x10; // F_SEAL_SEAL | _SHRINK | _GROW | _FUTURE_WRITE (Linux 5.1)
    private const int ReadWrite = 3;            // PROT_READ | PROT_WRITE
    private const int ReadOnly = 1;             // PROT_READ
    private const int MapShared = 1;            // MAP_SHARED
    private const int MapPopulate = 0x8000;     // MAP_POPULATE
    private const int Private = 0x22;           // MAP_PRIVATE | MAP_ANONYMOUS
    private const int DontNeed = 4;             // MADV_DONTNEED
    private const int PunchHole = 3;            // FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
    private const long LeastHugeBytes = 4L << 20;

    private readonly bool _isPrivate;
    private byte* _start;

    private SharedBuffer(SafeFileHandle file, byte* start, long lengthBytes, bool isPrivate = false)
    {
        _isPrivate = isPrivate;
        File = file;
        _start = start;
        LengthBytes = lengthBytes;
    }

    /// <summary>The descriptor to hand over.</summary>
    public SafeFileHandle File { get; }

    /// <summary>Length in bytes.</summary>
    public long LengthBytes { get; private set; }

    /// <summary>Where it lies in the mem file that <see cref="File"/> is then; 0 where that is to be mapped.</summary>
    public ulong AddressInMemFile => _isPrivate ? (ulong)_start : 0;

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
            byte* start = TryMapHuge(descriptor, ToPages(lengthBytes));
            return start is null ? Allocate(file, lengthBytes) : new SharedBuffer(file, start, ToPages(lengthBytes));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Creates private memory, all zero, its pages present, which others read through this process's mem file for as long as it
    /// lives. Unlike a memfd's, its huge pages need no more than madvise(2) on most hosts, and it is gone in a tenth of the time.
    /// </summary>
    /// <param name="ownMemFile">/proc/self/mem; owned from then on.</param>
    /// <param name="lengthBytes">Length in bytes.</param>
    /// <exception cref="SyscallException">No memory.</exception>
    public static SharedBuffer CreatePrivate(SafeFileHandle ownMemFile, long lengthBytes)
    {
        long length = ToPages(lengthBytes);
        byte* start = PopulatedMapping.Map(-1, length, ReadWrite, Private);
        if (PopulatedMapping.TryPopulate(start, length))
        {
            return new SharedBuffer(ownMemFile, start, length, isPrivate: true);
        }

        var failure = SyscallException.FromLastError("madvise(MADV_POPULATE_WRITE)", 0);
        _ = LibC.Munmap(start, (nuint)length);
        throw failure;
    }

    /// <summary>Makes <paramref name="file"/> this long with its blocks allocated, and maps it. Owns the file from then on.</summary>
    /// <exception cref="SyscallException">No space.</exception>
    public static SharedBuffer Allocate(SafeFileHandle file, long lengthBytes)
    {
        long length = ToPages(lengthBytes);
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

        return new SharedBuffer(file, PopulatedMapping.Map(descriptor, length, ReadWrite, MapShared | MapPopulate), length);
    }

    /// <summary>
    /// Creates a memfd whose length nobody can change any more, and that only this process can write to, by the mapping that
    /// it has: what is handed to somebody who is not trusted.
    /// </summary>
    /// <exception cref="SyscallException">No memory, no descriptor, or a kernel without F_SEAL_FUTURE_WRITE.</exception>
    public static SharedBuffer CreateSealed(string name, long lengthBytes)
    {
        int descriptor = LibC.MemfdCreate(name, CloseOnExec | AllowSealing);
        if (descriptor < 0)
        {
            throw SyscallException.FromLastError("memfd_create", 0);
        }

        SharedBuffer buffer;
        var file = new SafeFileHandle(descriptor, ownsHandle: true);
        try
        {
            buffer = Allocate(file, lengthBytes);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        if (LibC.Fcntl(descriptor, AddSeals, SealAll) < 0)
        {
            var failure = SyscallException.FromLastError("fcntl(F_ADD_SEALS)", 0);
            buffer.Dispose();
            throw failure;
        }

        return buffer;
    }

    /// <summary>Maps a file that was handed over, read-only. Owns the file from then on.</summary>
    /// <exception cref="SyscallException">It cannot be mapped.</exception>
    public static SharedBuffer Open(SafeFileHandle file)
    {
        long length = RandomAccess.GetLength(file);
        return new SharedBuffer(file, PopulatedMapping.Map((int)file.DangerousGetHandle(), length, ReadOnly, MapShared), length);
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

    /// <summary>The same as memory. Whoever has it must have let go of it before the buffer is disposed of.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not inside the buffer.</exception>
    public Memory<byte> Memory(long offset, int lengthBytes)
    {
        _ = Slice(offset, lengthBytes);
        return new MappedMemory(_start + offset, lengthBytes).Memory;
    }

    /// <summary>
    /// Gives the memory of a part back to the machine; what it held is zero from then on, for everybody who shares it. Pages
    /// that the part does not hold whole stay. Where the file cannot do that nothing happens.
    /// </summary>
    public void Release(long offset, long lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lengthBytes, LengthBytes - offset);
        _ = _isPrivate
            ? LibC.Madvise(_start + offset, (nuint)lengthBytes, DontNeed)
            : LibC.Fallocate((int)File.DangerousGetHandle(), PunchHole, offset, lengthBytes);
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

    private static long ToPages(long lengthBytes) => Math.Max(4096, (lengthBytes + 4095) & ~4095L);

    /// <summary>Null where it is small, or where the kernel gives no pages this way; then nothing has happened but the length.</summary>
    private static byte* TryMapHuge(int descriptor, long length)
    {
        if (length < LeastHugeBytes || LibC.Ftruncate(descriptor, length) < 0)
        {
            return null;
        }

        byte* start = PopulatedMapping.Map(descriptor, length, ReadWrite, MapShared);
        if (PopulatedMapping.TryPopulate(start, length))
        {
            return start;
        }

        _ = LibC.Munmap(start, (nuint)length);
        return null;
    }

    /// <summary>A part of the mapping. It holds nothing: the buffer unmaps it.</summary>
    private sealed class MappedMemory(byte* start, int length) : MemoryManager<byte>
    {
        public override Span<byte> GetSpan() => new(start, length);

        public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
