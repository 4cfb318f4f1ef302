using Corelift.Client.Receiving;
using Corelift.Elf;
using Corelift.Sealing;

namespace Corelift.Client;

/// <summary>Sealed snapshots that were received before.</summary>
public static class SealedSnapshot
{
    /// <summary>
    /// Opens a sealed snapshot and makes its core, with the checks of a capture that comes from an agent: who sealed it is
    /// not known, and not trusted. A file that was changed or cut off never becomes a core.
    /// </summary>
    /// <param name="sealedFile">The file, read from where it stands to its end, in bounded memory; left open.</param>
    /// <param name="identities">Private keys to try.</param>
    /// <param name="destination">Where the core goes. One of strategy precopy needs a file, or another stream that can seek.</param>
    /// <param name="limits">What is taken from the file; null for the usual.</param>
    /// <param name="progress">Told some 20 times per second; null for nobody.</param>
    /// <param name="cancellation">Gives up: no file is left.</param>
    /// <exception cref="SnapshotException">The file is for other keys, was changed, is cut off, or the core cannot be written.</exception>
    public static async Task<SnapshotResult> OpenAsync(
        Stream sealedFile,
        IReadOnlyList<AgeIdentity> identities,
        SnapshotDestination destination,
        SnapshotLimits? limits = null,
        IProgress<SnapshotProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(sealedFile);
        ArgumentNullException.ThrowIfNull(identities);
        ArgumentNullException.ThrowIfNull(destination);
        using CoreOutput output = destination.Open();
        using CaptureReceiver receiver = new(output.Stream, limits ?? new SnapshotLimits(), progress) { IsOpened = true };
        using FrameQueue queue = new(receiver);
        try
        {
            try
            {
                await SealedMessages.ReadAsync(sealedFile, identities, queue, cancellation);
            }
            finally
            {
                await queue.DrainAsync(); // nobody writes after this method has ended, however it ends
            }

            if (!receiver.IsComplete)
            {
                throw new SnapshotException(SnapshotFailure.Broken, "the sealed snapshot holds none to its end: its trailer is missing; nothing was kept");
            }

            SnapshotResult result = receiver.Finish();
            result = result with { Path = output.Commit(result.IsPartial) };
            receiver.Report(force: true);
            return result;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CoreFormatException)
        {
            throw output.Failure(failure);
        }
    }
}
