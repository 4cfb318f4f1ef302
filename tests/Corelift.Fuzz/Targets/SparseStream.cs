namespace Corelift.Fuzz.Targets;

/// <summary>A file in memory of any length, of which only what was written takes room; a seek beyond a file system's bounds fails as there.</summary>
internal sealed class SparseStream(bool canSeek) : Stream
{
    private const int BlockBytes = 4096;
    private const long LargestBytes = 1L << 60;

    private readonly Dictionary<long, byte[]> _blocks = [];
    private long _length;
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => canSeek;

    public override bool CanWrite => true;

    public override long Length => _length;

    public override long Position
    {
        get => _position;
        set => _position = value is >= 0 and <= LargestBytes ? value : throw new IOException("beyond the largest file");
    }

    /// <summary>What was written, for a reader.</summary>
    internal SparseStream ToSeekable()
    {
        SparseStream copy = new(canSeek: true) { _length = _length };
        foreach ((long block, byte[] bytes) in _blocks)
        {
            copy._blocks[block] = bytes;
        }

        return copy;
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        count = (int)Math.Clamp(_length - _position, 0, count);
        for (int done = 0; done < count;)
        {
            int inBlock = (int)((_position + done) % BlockBytes);
            int part = Math.Min(count - done, BlockBytes - inBlock);
            Span<byte> to = buffer.AsSpan(offset + done, part);
            if (_blocks.TryGetValue((_position + done) / BlockBytes, out byte[]? block))
            {
                block.AsSpan(inBlock, part).CopyTo(to);
            }
            else
            {
                to.Clear();
            }

            done += part;
        }

        _position += count;
        return count;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int inBlock = (int)(_position % BlockBytes);
            int part = Math.Min(buffer.Length, BlockBytes - inBlock);
            ref byte[]? block = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_blocks, _position / BlockBytes, out _);
            block ??= new byte[BlockBytes];
            buffer[..part].CopyTo(block.AsSpan(inBlock));
            Position += part;
            buffer = buffer[part..];
        }

        _length = Math.Max(_length, _position);
    }

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + (origin == SeekOrigin.Begin ? 0 : origin == SeekOrigin.Current ? _position : _length);

    public override void SetLength(long value)
    {
        _length = value;
        foreach (long block in _blocks.Keys.Where(block => block * BlockBytes >= value).ToArray())
        {
            _blocks.Remove(block);
        }
    }
}
