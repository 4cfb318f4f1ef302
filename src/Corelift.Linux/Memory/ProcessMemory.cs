using System.Runtime.InteropServices;
using Corelift.Linux.Interop;

namespace Corelift.Linux.Memory;

/// <summary>
/// Memory of a process by process_vm_readv(2) and process_vm_writev(2): needs no descriptor, only the right to trace.
/// Reading so copies every copy-on-write-shared anonymous page that is read (FOLL_PIN unshares, Linux 5.19 and later), so
/// bulk memory is read through <see cref="BulkMemory"/> or a <see cref="MemFile"/>.
/// </summary>
public sealed unsafe class ProcessMemory
{
    private readonly int _tid;

    /// <summary>Memory of the process that has the task <paramref name="tid"/>; any live task of it will do.</summary>
    public ProcessMemory(int tid) => _tid = tid;

    /// <summary>Copies bytes from the process, stopping at the first page that cannot be read.</summary>
    /// <param name="address">First byte to copy; need not be page-aligned.</param>
    /// <param name="destination">Receives the bytes; its length, in bytes, is the most that is copied.</param>
    /// <returns>Bytes copied, 0 to the length; fewer means that the page holding the next byte is not readable.</returns>
    /// <exception cref="SyscallException">The process is gone, or reading it is not permitted.</exception>
    /// <remarks>Source: process_vm_readv(2), Linux 3.2. EFAULT at the first byte is 0 here.</remarks>
    public int Read(RemoteAddress address, Span<byte> destination)
    {
        if (destination.IsEmpty)
        {
            return 0;
        }

        fixed (byte* buffer = destination)
        {
            var local = new IoVec { Base = buffer, Length = (nuint)destination.Length };
            var remote = new IoVec { Base = (void*)address.Value, Length = (nuint)destination.Length };
            nint copied = LibC.ProcessVmReadv(_tid, &local, 1, &remote, 1, 0);
            return copied >= 0 ? (int)copied : FailedRead();
        }
    }

    /// <summary>Reads an object; false where not all of it is readable.</summary>
    internal bool TryRead<T>(ulong address, out T value)
        where T : unmanaged
    {
        value = default;
        return Read(new RemoteAddress(address), MemoryMarshal.AsBytes(new Span<T>(ref value))) == sizeof(T);
    }

    /// <summary>Reads an object from the process that has a task; without an exception, and without allocating.</summary>
    internal static bool TryRead<T>(int tid, ulong address, out T value)
        where T : unmanaged
    {
        value = default;
        return TryRead(tid, address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    /// <summary>Reads bytes from the process that has a task; false where not all of them are readable.</summary>
    internal static bool TryRead(int tid, ulong address, Span<byte> destination)
    {
        fixed (byte* buffer = destination)
        {
            var local = new IoVec { Base = buffer, Length = (nuint)destination.Length };
            var remote = new IoVec { Base = (void*)address, Length = (nuint)destination.Length };
            return LibC.ProcessVmReadv(tid, &local, 1, &remote, 1, 0) == destination.Length;
        }
    }

    /// <summary>Writes bytes; only ever below a stack, or to an image of ours.</summary>
    /// <returns>Whether all were written.</returns>
    internal bool TryWrite(ulong address, ReadOnlySpan<byte> source) => TryWrite(_tid, address, source);

    /// <inheritdoc cref="TryWrite(ulong, ReadOnlySpan{byte})"/>
    internal static bool TryWrite(int tid, ulong address, ReadOnlySpan<byte> source)
    {
        fixed (byte* buffer = source)
        {
            var local = new IoVec { Base = buffer, Length = (nuint)source.Length };
            var remote = new IoVec { Base = (void*)address, Length = (nuint)source.Length };
            return LibC.ProcessVmWritev(tid, &local, 1, &remote, 1, 0) == source.Length;
        }
    }

    private int FailedRead()
    {
        var failure = SyscallException.FromLastError("process_vm_readv", _tid);
        return failure.Errno == Errno.BadAddress ? 0 : throw failure;
    }
}
