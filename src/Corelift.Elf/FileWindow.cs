namespace Corelift.Elf;

/// <summary>
/// Reads at offsets of a stream, through one window of 64 KiB: tens of thousands of note headers are one read each
/// otherwise. Never reads past the length that the stream had when it was opened.
/// </summary>
internal sealed class FileWindow(Stream stream)
{
    private const int WindowBytes = 64 * 1024;

    private readonly byte[] _window = new byte[WindowBytes];
    private long _windowStart;
    private int _windowBytes;

    internal long LengthBytes { get; } = stream.Length;

    /// <summary>Whether a range lies in the file; for any two numbers.</summary>
    internal bool Holds(ulong offset, ulong lengthBytes) =>
        offset <= (ulong)LengthBytes && lengthBytes <= (ulong)LengthBytes - offset;

    /// <summary>Fills <paramref name="destination"/> from the file.</summary>
    /// <exception cref="CoreFormatException">The file ends before that.</exception>
    internal void Read(ulong offset, Span<byte> destination, string what)
    {
        if (!Holds(offset, (ulong)destination.Length))
        {
            throw new CoreFormatException(
                $"{what}: {destination.Length} bytes at offset {offset} are past the end of the file ({LengthBytes} bytes)");
        }

        if (destination.Length > WindowBytes / 2)
        {
            Fill((long)offset, destination, what);
            return;
        }

        long start = (long)offset;
        if (start < _windowStart || start + destination.Length > _windowStart + _windowBytes)
        {
            _windowBytes = 0;
            int length = (int)Math.Min(WindowBytes, LengthBytes - start);
            Fill(start, _window.AsSpan(0, length), what);
            (_windowStart, _windowBytes) = (start, length);
        }

        _window.AsSpan((int)(start - _windowStart), destination.Length).CopyTo(destination);
    }

    private void Fill(long offset, Span<byte> destination, string what)
    {
        stream.Position = offset;
        int read = stream.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);
        if (read < destination.Length)
        {
            throw new CoreFormatException($"{what}: the file became shorter while it was read");
        }
    }
}
