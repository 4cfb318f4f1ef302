namespace Corelift.Capture.Worker;

/// <summary>
/// What is copied in the pause, in the order in which it was added. It grows by blocks and never copies itself: a target of
/// single pages has hundreds of thousands, and there is no garbage collection in the pause.
/// </summary>
internal sealed class ExtentList
{
    private const int BlockLength = 16 * 1024;

    private readonly List<PauseExtent[]> _blocks = [new PauseExtent[BlockLength]];

    internal int Count { get; private set; }

    internal PauseExtent this[int index] => _blocks[index / BlockLength][index % BlockLength];

    internal void Add(PauseExtent extent)
    {
        if (Count == _blocks.Count * BlockLength)
        {
            _blocks.Add(new PauseExtent[BlockLength]);
        }

        _blocks[Count / BlockLength][Count % BlockLength] = extent;
        Count++;
    }

    /// <summary>Takes the last one away.</summary>
    internal void RemoveLast() => Count--;

    /// <summary>The extents, block by block.</summary>
    internal IEnumerable<ReadOnlyMemory<PauseExtent>> Blocks()
    {
        for (int i = 0; i * BlockLength < Count; i++)
        {
            yield return _blocks[i].AsMemory(0, Math.Min(BlockLength, Count - (i * BlockLength)));
        }
    }
}
