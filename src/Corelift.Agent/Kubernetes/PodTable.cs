using System.Diagnostics.CodeAnalysis;
using Corelift.Agent.Access;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// The containers of the node's pods, as the last list and the events since have them; beside them those that a look found
/// before the watch did. Pods are kept by uid: one of the same name that came later is another. May be used by several
/// threads at once.
/// </summary>
internal sealed class PodTable
{
    /// <summary>Most pods; a node has 110 by default, and 500 where somebody raised it. What comes above is not kept.</summary>
    internal const int MaxPods = 5000;

    private readonly Lock _gate = new();
    private Dictionary<string, IReadOnlyList<string>> _idsByUid = [];
    private Dictionary<string, PodIdentity> _byId = [];
    private Dictionary<string, PodIdentity> _early = [];

    /// <summary>How many containers it knows.</summary>
    internal int Count
    {
        get
        {
            lock (_gate)
            {
                return _byId.Count;
            }
        }
    }

    /// <summary>Looks a container up.</summary>
    internal bool TryFind(string containerId, [NotNullWhen(true)] out PodIdentity? identity)
    {
        lock (_gate)
        {
            return _byId.TryGetValue(containerId, out identity) || _early.TryGetValue(containerId, out identity);
        }
    }

    /// <summary>Takes a whole list in place of all that was known.</summary>
    internal void Replace(IReadOnlyCollection<Pod> pods)
    {
        var fresh = new PodTable();
        foreach (Pod pod in pods)
        {
            fresh.Put(pod);
        }

        lock (_gate)
        {
            (_idsByUid, _byId, _early) = (fresh._idsByUid, fresh._byId, []);
        }
    }

    /// <summary>Takes a pod that was added or changed: containers that it no longer names are forgotten.</summary>
    internal void Put(Pod pod)
    {
        IReadOnlyList<(string ContainerId, PodIdentity Identity)> containers = PodMapping.ToContainers(pod);
        lock (_gate)
        {
            string uid = pod.Metadata?.Uid ?? string.Empty;
            Forget(uid);
            if (containers.Count > 0 && _idsByUid.Count < MaxPods)
            {
                _idsByUid[uid] = [.. containers.Select(each => each.ContainerId)];
                foreach ((string id, PodIdentity identity) in containers)
                {
                    _byId[id] = identity;
                }
            }
        }
    }

    /// <summary>Takes what a look found; it stands until the next one, or a list, and never above what the watch says.</summary>
    internal void PutEarly(IReadOnlyCollection<Pod> pods)
    {
        var found = new Dictionary<string, PodIdentity>();
        foreach ((string id, PodIdentity identity) in pods.Take(MaxPods).SelectMany(PodMapping.ToContainers))
        {
            found[id] = identity;
        }

        lock (_gate)
        {
            foreach (string known in _byId.Keys)
            {
                found.Remove(known);
            }

            _early = found;
        }
    }

    /// <summary>Forgets a pod that was deleted.</summary>
    internal void Remove(Pod pod)
    {
        lock (_gate)
        {
            Forget(pod.Metadata?.Uid ?? string.Empty);
        }
    }

    private void Forget(string uid)
    {
        if (_idsByUid.Remove(uid, out IReadOnlyList<string>? ids))
        {
            foreach (string id in ids)
            {
                _byId.Remove(id);
            }
        }
    }
}
