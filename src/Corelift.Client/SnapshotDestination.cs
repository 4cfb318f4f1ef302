namespace Corelift.Client;

/// <summary>Where a core goes.</summary>
public sealed class SnapshotDestination
{
    private SnapshotDestination(string? path, bool overwrite, Stream? stream)
    {
        Path = path;
        Overwrite = overwrite;
        Stream = stream;
    }

    internal string? Path { get; }

    internal bool Overwrite { get; }

    internal Stream? Stream { get; }

    /// <summary>
    /// A file. It is written beside its final name as .NAME.partial-RANDOM, with mode 0600, and gets the name only when
    /// the snapshot is whole; one that the agent calls partial gets NAME.partial, and any other is deleted. A name below
    /// /dev that exists is written to as a stream.
    /// </summary>
    /// <param name="path">The final name.</param>
    /// <param name="overwrite">Whether a file of that name is replaced; otherwise it is refused before the target is touched.</param>
    public static SnapshotDestination ToFile(string path, bool overwrite = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new SnapshotDestination(path, overwrite, null);
    }

    /// <summary>
    /// A stream, left open. On one that cannot seek every zero is really written, and strategy precopy is out. What a snapshot that fails wrote to it
    /// stays there, without the note that would make it a whole core.
    /// </summary>
    public static SnapshotDestination ToStream(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return new SnapshotDestination(null, false, stream);
    }

    internal CoreOutput Open() => Path is null ? CoreOutput.ForStream(Stream!) : CoreOutput.ForFile(Path, Overwrite);
}
