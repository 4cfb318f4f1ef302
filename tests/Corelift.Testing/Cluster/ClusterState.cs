using System.Globalization;
using System.Text.Json.Nodes;

namespace Corelift.Testing.Cluster;

/// <summary>The pods of the stand-in, with one counter of versions over all, and the changes that a watch can still be given.</summary>
public sealed class ClusterState
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (ClusterPod Pod, long Version)> _pods = new(StringComparer.Ordinal);
    private readonly List<(long Version, string Type, ClusterPod Pod)> _changes = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _version = 1000;
    private long _forgotten = 1000;

    /// <summary>The version now.</summary>
    public string Version
    {
        get
        {
            lock (_gate)
            {
                return _version.ToString(CultureInfo.InvariantCulture);
            }
        }
    }

    /// <summary>Adds a pod, or puts it in the place of one with its name.</summary>
    public void Put(ClusterPod pod)
    {
        lock (_gate)
        {
            string key = $"{pod.Namespace}/{pod.Name}";
            if (_pods.TryGetValue(key, out (ClusterPod Pod, long Version) old) && old.Pod.Uid != pod.Uid)
            {
                Note("DELETED", old.Pod);
            }

            Note(old.Pod?.Uid == pod.Uid ? "MODIFIED" : "ADDED", pod);
            _pods[key] = (pod, _version);
        }
    }

    /// <summary>Deletes a pod.</summary>
    public void Delete(ClusterPod pod)
    {
        lock (_gate)
        {
            _pods.Remove($"{pod.Namespace}/{pod.Name}");
            Note("DELETED", pod);
        }
    }

    /// <summary>Forgets all changes: who watches from an older version gets 410 Gone.</summary>
    public void Compact()
    {
        lock (_gate)
        {
            _version++;
            _changes.Clear();
            _forgotten = _version;
        }
    }

    /// <summary>The pods that selectors select (a=b,c=d), and the version at which they stand.</summary>
    internal (List<JsonObject> Pods, string Version) List(string? space, string? fields, string? labels)
    {
        lock (_gate)
        {
            return (
                [.. _pods.Values.Where(each => (space is null || each.Pod.Namespace == space) && Selects(each.Pod, fields, labels)).Select(each => each.Pod.ToJson(each.Version))],
                _version.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>One pod, or null.</summary>
    internal JsonObject? Find(string space, string name)
    {
        lock (_gate)
        {
            return _pods.TryGetValue($"{space}/{name}", out (ClusterPod Pod, long Version) found) ? found.Pod.ToJson(found.Version) : null;
        }
    }

    /// <summary>The changes after a version, and what tells of the next; null where they are forgotten.</summary>
    internal (List<(long Version, string Type, JsonObject Pod)> Changes, Task Next)? After(long version, string? fields)
    {
        lock (_gate)
        {
            return version < _forgotten
                ? null
                : ([.. _changes.Where(each => each.Version > version && Selects(each.Pod, fields, null)).Select(each => (each.Version, each.Type, each.Pod.ToJson(each.Version)))],
                    _changed.Task);
        }
    }

    private static bool Selects(ClusterPod pod, string? fields, string? labels) =>
        Pairs(fields).All(pair => pair is ["spec.nodeName", var node] && pod.Node == node)
        && Pairs(labels).All(pair => pair is [var key, var value] && pod.Labels.GetValueOrDefault(key) == value);

    private static IEnumerable<string[]> Pairs(string? selector) =>
        (selector ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=', 2));

    private void Note(string type, ClusterPod pod)
    {
        _version++;
        _changes.Add((_version, type, pod));
        _changed.TrySetResult();
        _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
