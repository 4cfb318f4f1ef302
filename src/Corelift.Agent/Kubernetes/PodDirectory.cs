using System.Globalization;
using Corelift.Agent.Access;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// Knows the pods of the own node: by a list, and a watch of what changes since. What it does not know yet it looks up. A
/// container's id never comes to mean another pod, so what is known stays right while the API server is away; only labels
/// and annotations may be older then.
/// </summary>
internal sealed class PodDirectory : IPodDirectory
{
    private readonly ApiClient _api;
    private readonly string _node;
    private readonly PodTable _table;
    private readonly Lock _gate = new();
    private Task? _look;
    private long _lookBegan;

    internal PodDirectory(ApiClient api, string node, PodTable table)
    {
        _api = api;
        _node = node;
        _table = table;
    }

    /// <summary>What is known without a look.</summary>
    internal PodTable Table => _table;

    /// <summary>Longest time that one look at the API server takes.</summary>
    internal static TimeSpan LookPatience { get; } = TimeSpan.FromSeconds(2);

    /// <summary>For how long the answer of a look stands: a container that is not in it is not looked for again before.</summary>
    internal static TimeSpan LookAge { get; } = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public async ValueTask<PodIdentity?> FindAsync(string containerId, CancellationToken cancellationToken)
    {
        if (containerId.Length == 0)
        {
            return null;
        }

        if (!_table.TryFind(containerId, out PodIdentity? identity) && ShareLookAsync() is { } look)
        {
            await look.WaitAsync(cancellationToken).ConfigureAwait(false);
            _ = _table.TryFind(containerId, out identity);
        }

        return identity;
    }

    /// <summary>The look that is under way, or a new one; null where one has just been. All who ask meanwhile share it.</summary>
    private Task? ShareLookAsync()
    {
        lock (_gate)
        {
            if (_look is { IsCompleted: false } running)
            {
                return running;
            }

            if (_look is { IsCompletedSuccessfully: true } && TimeProvider.System.GetElapsedTime(_lookBegan) < LookAge)
            {
                return null;
            }

            _lookBegan = TimeProvider.System.GetTimestamp();
            return _look = LookAsync();
        }
    }

    private async Task LookAsync()
    {
        using var patience = new CancellationTokenSource(LookPatience);
        try
        {
            (List<Pod> pods, _) = await ListAsync(patience.Token).ConfigureAwait(false);
            _table.PutEarly(pods);
        }
        catch (ApiException failure)
        {
            throw new AccessUnavailableException($"which pod it is in cannot be found out: {failure.Message}", failure);
        }
        catch (OperationCanceledException failure)
        {
            throw new AccessUnavailableException(
                string.Create(CultureInfo.InvariantCulture, $"which pod it is in cannot be found out: the API server does not answer within {LookPatience.TotalSeconds:F0} s"), failure);
        }
    }

    /// <summary>All pods of the node, and the version at which the list stands.</summary>
    internal async Task<(List<Pod> Pods, string ResourceVersion)> ListAsync(CancellationToken cancellationToken)
    {
        var pods = new List<Pod>();
        string? next = null;
        do
        {
            PodList page = await _api.ListPodsAsync(_node, next, cancellationToken).ConfigureAwait(false);
            pods.AddRange((page.Items ?? []).OfType<Pod>());
            string version = page.Metadata?.ResourceVersion ?? throw new ApiException("the API server answered a list without a version");
            next = page.Metadata.Continue is { Length: > 0 } more ? more : null;
            if (next is null)
            {
                return (pods, version);
            }
        }
        while (pods.Count <= PodTable.MaxPods);

        throw new ApiException(string.Create(CultureInfo.InvariantCulture, $"the node has more than {PodTable.MaxPods} pods"));
    }
}
