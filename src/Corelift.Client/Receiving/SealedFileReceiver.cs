using Corelift.Client.Wire;

namespace Corelift.Client.Receiving;

/// <summary>
/// Writes the parts of a sealed snapshot as they come. Without a private key only its shape can be checked: whether the
/// file is whole shows when it is opened.
/// </summary>
internal sealed class SealedFileReceiver(Stream destination, SnapshotLimits limits, IProgress<SnapshotProgress>? progress) : IFrameReceiver
{
    private const int LargestPartBytes = 1024 * 1024;

    private readonly ProgressReporter _progress = new(progress);

    public bool HasBegun => ReceivedBytes > 0;

    public ulong ReceivedBytes { get; private set; }

    internal TimeSpan Elapsed => _progress.Elapsed;

    private static ReadOnlySpan<byte> FirstLine => "age-encryption.org/v1\n"u8;

    public void Add(CaptureFrame frame)
    {
        if (frame.Damage is { } damage)
        {
            throw SnapshotException.Violation(damage);
        }

        if (!frame.IsSealed)
        {
            throw SnapshotException.Violation("a message in the clear, though the snapshot was to be sealed");
        }

        ReadOnlySpan<byte> part = frame.Packed;
        if (part.Length is 0 or > LargestPartBytes || (ReceivedBytes == 0 && !part.StartsWith(FirstLine)))
        {
            throw SnapshotException.Violation($"a sealed part of {part.Length} bytes that is none of an age file");
        }

        if ((ulong)part.Length > limits.MaxMemoryBytes - Math.Min(ReceivedBytes, limits.MaxMemoryBytes))
        {
            throw SnapshotException.Limit($"more than {limits.MaxMemoryBytes} bytes");
        }

        destination.Write(part);
        ReceivedBytes += (ulong)part.Length;
        Report(SnapshotPhase.Receiving, force: false);
    }

    internal void Report(SnapshotPhase phase, bool force) => _progress.Report(phase, ReceivedBytes, force);
}
