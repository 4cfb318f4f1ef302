namespace Corelift.Elf;

/// <summary>
/// Puts bytes at offsets of a destination. On one that can seek, pages of zeros are left as holes of a sparse file; on one
/// that cannot, everything between is written as zeros. The first failure is thrown as it is, and wrapped by
/// <see cref="Verify"/> from then on.
/// </summary>
internal sealed class CoreSink(Stream destination)
{
    private const int PageBytes = 4096; // how finely holes are left, whatever the target's pages are

    private static readonly byte[] s_zeros = new byte[64 * 1024];

    private readonly PageSet _held = new(); // pages of the file that may hold something else than zeros
    private long _end; // no byte of the file from here on has been written
    private Exception? _failure;

    internal bool CanSeek { get; } = destination.CanSeek;

    /// <summary>Whether bytes at an offset can still be written.</summary>
    internal bool Reaches(long offset) => CanSeek || offset >= _end;

    /// <summary>Bytes in pages of a range that may hold something else than zeros, by what <see cref="WriteMemory"/> wrote.</summary>
    internal long HeldBytes(long offset, long lengthBytes) => (long)_held.Count(Page(offset), Page(lengthBytes)) * PageBytes;

    /// <exception cref="IOException">The destination failed before.</exception>
    internal void Verify()
    {
        if (_failure is not null)
        {
            throw new IOException("the core's destination failed before", _failure);
        }
    }

    /// <summary>Empties a destination that can seek.</summary>
    internal void Clear()
    {
        if (!CanSeek)
        {
            return;
        }

        // ext4 starts to write out a file that was truncated when it is closed, also where there was nothing to cut off.
        if (destination.Length > 0)
        {
            destination.SetLength(0);
        }

        destination.Position = 0;
    }

    internal void WriteHeaders(CoreLayout layout) => Guard(() =>
    {
        if (CanSeek)
        {
            destination.Position = 0;
        }

        new HeaderWriter(destination, layout).Write();
        _end = Math.Max(_end, layout.NotesEnd);
    });

    /// <summary>Writes memory; pages of zeros only where they replace something, or where the destination cannot seek.</summary>
    internal void WriteMemory(long offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (CanSeek)
            {
                WriteSparse(offset, bytes);
            }
            else
            {
                FillWithZeros(offset - _end);
                destination.Write(bytes);
                _held.Add(Page(offset), Page(offset + bytes.Length + PageBytes - 1) - Page(offset));
            }

            _end = Math.Max(_end, offset + bytes.Length);
        }
        catch (Exception failure) when (IsOfDestination(failure))
        {
            _failure = failure;
            throw;
        }
    }

    /// <summary>Makes a range of whole pages zero. The destination can seek.</summary>
    internal void Zero(long offset, long lengthBytes) => Guard(() =>
    {
        foreach ((ulong first, ulong count) in _held.Runs(Page(offset), Page(lengthBytes)))
        {
            destination.Position = (long)first * PageBytes;
            FillWithZeros((long)count * PageBytes);
            _held.Remove(first, count);
        }
    });

    /// <summary>Writes the last bytes of the file.</summary>
    internal void WriteEnd(long offset, byte[] bytes) => Guard(() =>
    {
        if (CanSeek)
        {
            destination.Position = offset;
        }
        else
        {
            FillWithZeros(offset - _end);
        }

        destination.Write(bytes);
        destination.Flush();
    });

    private static ulong Page(long offset) => (ulong)offset / PageBytes;

    private static bool IsOfDestination(Exception failure) =>
        failure is IOException or UnauthorizedAccessException or NotSupportedException;

    private void Guard(Action work)
    {
        try
        {
            work();
        }
        catch (Exception failure) when (IsOfDestination(failure))
        {
            _failure = failure;
            throw;
        }
    }

    private void WriteSparse(long offset, ReadOnlySpan<byte> bytes)
    {
        int pending = 0; // first byte that is neither written nor skipped
        int at = 0;
        while (at < bytes.Length)
        {
            int pageRest = (int)(PageBytes - ((offset + at) % PageBytes));
            int length = Math.Min(pageRest, bytes.Length - at);
            if (!bytes.Slice(at, length).ContainsAnyExcept((byte)0) && !_held.Contains(Page(offset + at)))
            {
                WriteAt(offset + pending, bytes[pending..at]);
                pending = at + length;
            }

            at += length;
        }

        WriteAt(offset + pending, bytes[pending..]);
    }

    private void WriteAt(long offset, ReadOnlySpan<byte> bytes)
    {
        if (!bytes.IsEmpty)
        {
            destination.Position = offset;
            destination.Write(bytes);
            _held.Add(Page(offset), Page(offset + bytes.Length + PageBytes - 1) - Page(offset));
        }
    }

    private void FillWithZeros(long lengthBytes)
    {
        while (lengthBytes > 0)
        {
            int length = (int)Math.Min(lengthBytes, s_zeros.Length);
            destination.Write(s_zeros.AsSpan(0, length));
            lengthBytes -= length;
        }
    }
}
