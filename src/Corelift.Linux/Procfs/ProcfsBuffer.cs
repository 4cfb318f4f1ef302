using System.Buffers;

namespace Corelift.Linux.Procfs;

/// <summary>
/// A buffer that reads of /proc use one after the other, so that a walk over a whole host does not allocate per file.
/// Not for several threads. What a read returned is valid until the next one, or until it is disposed.
/// </summary>
public sealed class ProcfsBuffer : IDisposable
{
    private const int FirstLengthBytes = 16 * 1024;

    private byte[] _bytes = ArrayPool<byte>.Shared.Rent(FirstLengthBytes);

    /// <summary>All of it, whatever it holds.</summary>
    internal Span<byte> Bytes => _bytes;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = [];
        }
    }

    /// <summary>Makes it at least twice as long; keeps the bytes.</summary>
    internal void Grow()
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, FirstLengthBytes));
        _bytes.CopyTo(larger, 0);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
