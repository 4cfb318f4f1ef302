using Corelift.Agent.Access;
using Corelift.Agent.Kubernetes;
using Corelift.Testing.Cluster;
using Microsoft.Extensions.Logging.Abstractions;

namespace Corelift.Agent.Tests.Kubernetes;

/// <summary>A test with an API server of its own, and the agent's parts that ask it.</summary>
public abstract class KubernetesTest : IAsyncLifetime
{
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly List<IDisposable> _parts = [];
    private PodWatcher? _watcher;

    protected ClusterStandIn Cluster { get; private set; } = null!;

    private protected ApiAddress Address => new(new Uri(Cluster.Url), Cluster.TokenFile, Cluster.CaFile, ClusterStandIn.NodeName, KubernetesOptions.DefaultAudience);

    public virtual async Task InitializeAsync() => Cluster = await ClusterStandIn.StartAsync();

    public async Task DisposeAsync()
    {
        if (_watcher is not null)
        {
            await _watcher.StopAsync(default);
        }

        _parts.ForEach(part => part.Dispose());
        await Cluster.DisposeAsync();
    }

    private protected ApiClient NewClient() => Keep(new ApiClient(Address));

    private protected T Keep<T>(T part)
        where T : IDisposable
    {
        _parts.Add(part);
        return part;
    }

    /// <summary>A directory; with a watcher or without.</summary>
    private protected async Task<PodDirectory> NewDirectoryAsync(bool watches = true)
    {
        ApiClient api = NewClient();
        var table = new PodTable();
        var directory = new PodDirectory(api, ClusterStandIn.NodeName, table);
        if (watches)
        {
            _watcher = Keep(new PodWatcher(api, ClusterStandIn.NodeName, directory, table, NullLogger<PodWatcher>.Instance));
            await _watcher.StartAsync(default);
        }

        return directory;
    }

    /// <summary>Waits until the directory says of a container what it should.</summary>
    private protected static Task UntilAsync(PodDirectory directory, string id, Func<PodIdentity?, bool> fact, string what) =>
        Testing.Wait.UntilAsync(async () => fact(await directory.FindAsync(id, default)), Patience, () => what);
}
