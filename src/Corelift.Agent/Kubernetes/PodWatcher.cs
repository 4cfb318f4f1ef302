using System.Security.Cryptography;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// Keeps the table of pods: a list, then a watch from there on. A watch that ends is opened again where it stopped; after 410
/// Gone, or when it keeps failing, the list is read again. Between attempts it waits, longer each time and by chance, so that
/// the agents of a cluster do not come back all at once.
/// </summary>
internal sealed class PodWatcher(ApiClient api, string node, PodDirectory directory, PodTable table, ILogger<PodWatcher> logger) : BackgroundService
{
    private const int FailuresBeforeList = 3;
    private static readonly TimeSpan s_listPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_shortestWait = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(30);

    private string? _version;
    private int _failures;
    private bool _isKnown = true; // or nothing was said of it
    private bool _wasKnown;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                _version ??= await ListAsync(stoppingToken).ConfigureAwait(false);
                await WatchAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (ApiException failure)
            {
                Note(failure);
            }
            catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
            {
                Note(new ApiException("the API server does not answer in time"));
            }
            catch (OperationCanceledException)
            {
                return;
            }

            try
            {
                await Task.Delay(Wait(_failures), stoppingToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>How long to wait after so many failures in a row: half of it always, the rest by chance.</summary>
    internal static TimeSpan Wait(int failures)
    {
        double longest = Math.Min(s_longestWait.TotalMilliseconds, s_shortestWait.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 20)));
        return TimeSpan.FromMilliseconds((longest / 2) + (RandomNumberGenerator.GetInt32(1000) / 1000.0 * longest / 2));
    }

    private async Task<string> ListAsync(CancellationToken stoppingToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        patience.CancelAfter(s_listPatience);
        (List<Pod> pods, string version) = await directory.ListAsync(patience.Token).ConfigureAwait(false);
        table.Replace(pods);
        if (!_isKnown || !_wasKnown)
        {
            logger.PodsKnown(pods.Count, AgentLog.Escape(node));
        }

        (_isKnown, _wasKnown) = (true, true);
        return version;
    }

    private async Task WatchAsync(CancellationToken stoppingToken)
    {
        // Not all agents of a cluster at the same time, and so that a dead connection is noticed by its silence.
        TimeSpan lifetime = TimeSpan.FromSeconds(240 + RandomNumberGenerator.GetInt32(120));
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        patience.CancelAfter(s_grace);
        PodWatch watch = await api.WatchPodsAsync(node, _version!, lifetime, patience.Token).ConfigureAwait(false);
        await using (watch.ConfigureAwait(false))
        {
            patience.CancelAfter(lifetime + s_grace);
            long began = TimeProvider.System.GetTimestamp();
            _failures++; // until it brings something, or has lasted: a server that ends each watch at once is asked less and less
            while (await watch.ReadAsync(patience.Token).ConfigureAwait(false) is { } change)
            {
                Take(change);
                _failures = 0;
            }

            _failures = TimeProvider.System.GetElapsedTime(began) > s_grace ? 0 : _failures;
        }
    }

    private void Take(PodEvent change)
    {
        if (change.Object is not { } pod)
        {
            throw new ApiException("the API server sent an event without an object");
        }

        switch (change.Type)
        {
            case "ADDED" or "MODIFIED":
                table.Put(pod);
                break;
            case "DELETED":
                table.Remove(pod);
                break;
            default:
                break; // BOOKMARK: nothing but a version
        }

        _version = pod.Metadata?.ResourceVersion ?? _version;
    }

    private void Note(ApiException failure)
    {
        _failures++;
        if (failure.IsGone || _failures >= FailuresBeforeList)
        {
            _version = null;
        }

        // Said once for each time that it goes away; a version that has become too old is in order.
        if (_isKnown && !failure.IsGone && (_version is null || _failures >= FailuresBeforeList))
        {
            _isKnown = false;
            logger.PodsUnknown(AgentLog.Escape(node), AgentLog.Escape(failure.Message));
        }
    }
}
