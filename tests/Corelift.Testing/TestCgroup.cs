using System.Globalization;

namespace Corelift.Testing;

/// <summary>A cgroup of one test: in the hierarchy that manages memory, and in the unified one for its pressure.</summary>
public sealed class TestCgroup : IDisposable
{
    private static readonly string s_name = $"corelift-test-{Environment.ProcessId}";

    private readonly List<string> _folders = [];
    private readonly int _depth;

    private TestCgroup(IEnumerable<string> roots, params string[] below)
    {
        foreach (string root in roots)
        {
            string folder = Path.Combine([root, s_name, .. below]);
            Directory.CreateDirectory(folder);
            _folders.Add(folder);
        }

        _depth = below.Length + 1;
    }

    private static string Unified => Directory.Exists("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";

    /// <summary>A cgroup that may hold so much memory.</summary>
    public static TestCgroup WithMemory(long bytes)
    {
        bool isOld = Directory.Exists("/sys/fs/cgroup/memory");
        TestCgroup cgroup = new([isOld ? "/sys/fs/cgroup/memory" : Unified]);
        cgroup.Write(isOld ? "memory.limit_in_bytes" : "memory.max", bytes.ToString(CultureInfo.InvariantCulture));
        return cgroup;
    }

    /// <summary>A cgroup that may hold so many tasks.</summary>
    public static TestCgroup WithTasks(int most)
    {
        TestCgroup cgroup = new([Directory.Exists("/sys/fs/cgroup/pids") ? "/sys/fs/cgroup/pids" : Unified]);
        cgroup.SetTasks(most);
        return cgroup;
    }

    /// <summary>Changes how many tasks it may hold.</summary>
    public void SetTasks(int most) => Write("pids.max", most.ToString(CultureInfo.InvariantCulture));

    /// <summary>A cgroup whose pressure can be read.</summary>
    public static TestCgroup WithPressure() => new([Unified]);

    /// <summary>A cgroup as containerd makes it for a container of a pod.</summary>
    public static TestCgroup OfContainer(string id) =>
        new([Directory.Exists("/sys/fs/cgroup/memory") ? "/sys/fs/cgroup/memory" : Unified], "kubepods", "burstable", $"pod-of-{id[..8]}", $"cri-containerd-{id}.scope");

    /// <summary>Moves a process there; its memory so far stays charged where it was.</summary>
    public void Take(int pid) => Write("cgroup.procs", pid.ToString(CultureInfo.InvariantCulture));

    /// <summary>Removes it; the process must have ended.</summary>
    public void Dispose()
    {
        foreach (string folder in _folders)
        {
            Wait.UntilAsync(() => TryRemove(folder), TimeSpan.FromSeconds(10), $"{folder} removed").GetAwaiter().GetResult();
            string? above = Path.GetDirectoryName(folder);
            for (int depth = 1; depth < _depth && TryRemove(above!); depth++)
            {
                above = Path.GetDirectoryName(above); // one that another test's cgroup is below stays
            }
        }
    }

    private static bool TryRemove(string folder)
    {
        try
        {
            Directory.Delete(folder);
            return true;
        }
        catch (IOException)
        {
            return false; // a process in it is still ending
        }
    }

    private void Write(string file, string text) => _folders.ForEach(folder => File.WriteAllText(Path.Combine(folder, file), text));
}
