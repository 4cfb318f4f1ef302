using Corelift.Capture;

namespace Corelift.Agent.Health;

/// <summary>
/// Whether workers can be started: one is, with nothing to do, at the start, when the program's file has changed, a while
/// after a failure, and every five minutes.
/// </summary>
internal sealed class WorkerReadiness(CaptureEngine engine) : IReadinessSource, IDisposable
{
    private static readonly TimeSpan s_goodFor = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan s_badFor = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _one = new(1, 1);
    private long _asked;
    private string? _reason;
    private (DateTime Written, UnixFileMode Mode)? _file;

    /// <inheritdoc/>
    public async ValueTask<string?> WhyNotReadyAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            (DateTime, UnixFileMode) file = LookAtFile();
            if (_file != file || TimeProvider.System.GetElapsedTime(_asked) > (_reason is null ? s_goodFor : s_badFor))
            {
                _reason = await engine.TryWorkerAsync(cancellationToken).ConfigureAwait(false);
                _asked = TimeProvider.System.GetTimestamp();
                _file = file;
            }

            return _reason;
        }
        finally
        {
            _one.Release();
        }
    }

    private (DateTime Written, UnixFileMode Mode) LookAtFile()
    {
        var file = new FileInfo(engine.Options.WorkerExecutable);
        return file.Exists ? (file.LastWriteTimeUtc, file.UnixFileMode) : default;
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();
}
