using System.Globalization;

namespace Corelift.Testing;

/// <summary>A cgroup of one test or target: in the hierarchy that manages what is limited, or in the unified one.</summary>
public sealed class TestCgroup : IDisposable
{
    private static readonly TimeSpan s_bound = Wait.Soon;
    private static int s_made;

    private readonly string _folder;
    private readonly int _depth;

    private TestCgroup(string root, params string[] below)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"corelift-test-{Environment.ProcessId}-{Interlocked.Increment(ref s_made)}");
        _folder = Path.Combine([root, name, .. below]);
        Directory.CreateDirectory(_folder);
        _depth = below.Length + 1;
    }

    private static string Unified => Directory.Exists("/sys/fs/cgroup/unified") ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";

    /// <summary>A cgroup that may hold so much memory.</summary>
    public static TestCgroup WithMemory(long bytes)
    {
        bool isOld = Directory.Exists("/sys/fs/cgroup/memory");
        TestCgroup cgroup = new(isOld ? "/sys/fs/cgroup/memory" : Unified);
        cgroup.Write(isOld ? "memory.limit_in_bytes" : "memory.max", bytes.ToString(CultureInfo.InvariantCulture));
        return cgroup;
    }

    /// <summary>A cgroup whose tasks can be limited.</summary>
    public static TestCgroup ForTasks() => new(Directory.Exists("/sys/fs/cgroup/pids") ? "/sys/fs/cgroup/pids" : Unified);

    /// <summary>A cgroup of the unified hierarchy: it can be frozen, and its pressure can be read.</summary>
    public static TestCgroup InUnified() => new(Unified);

    /// <summary>A cgroup as containerd makes it for a container of a pod.</summary>
    public static TestCgroup OfContainer(string id) =>
        new(Directory.Exists("/sys/fs/cgroup/memory") ? "/sys/fs/cgroup/memory" : Unified, "kubepods", "burstable", $"pod-of-{id[..8]}", $"cri-containerd-{id}.scope");

    /// <summary>Moves a process there; its memory so far stays charged where it was.</summary>
    public void Take(int pid) => Write("cgroup.procs", pid.ToString(CultureInfo.InvariantCulture));

    /// <summary>The file that takes a pid.</summary>
    public string Processes => Path.Combine(_folder, "cgroup.procs");

    /// <summary>How often the kernel killed a process of it for want of memory.</summary>
    public long KilledForMemory => Value("memory.oom_control", "oom_kill") + Value("memory.events", "oom_kill");

    /// <summary>Lets it have so many more tasks than it has.</summary>
    public void AllowMoreTasks(int more)
    {
        int now = int.Parse(File.ReadAllText(Path.Combine(_folder, "pids.current")), NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
        Write("pids.max", (now + more).ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>Freezes or thaws it, and waits until it is so.</summary>
    public void Freeze(bool freezes)
    {
        Write("cgroup.freeze", freezes ? "1" : "0");
        Wait.UntilAsync(() => Value("cgroup.events", "frozen") == (freezes ? 1 : 0), s_bound, "the cgroup frozen or thawed").GetAwaiter().GetResult();
    }

    /// <summary>Removes it; the process must have ended.</summary>
    public void Dispose()
    {
        Wait.UntilAsync(() => TryRemove(_folder), s_bound, $"{_folder} removed").GetAwaiter().GetResult();
        string? above = Path.GetDirectoryName(_folder);
        for (int depth = 1; depth < _depth && TryRemove(above!); depth++)
        {
            above = Path.GetDirectoryName(above);
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

    private long Value(string file, string key)
    {
        string path = Path.Combine(_folder, file);
        string? line = File.Exists(path) ? File.ReadLines(path).FirstOrDefault(text => text.StartsWith(key + " ", StringComparison.Ordinal)) : null;
        return line is null ? 0 : long.Parse(line[(key.Length + 1)..], CultureInfo.InvariantCulture);
    }

    private void Write(string file, string text) => File.WriteAllText(Path.Combine(_folder, file), text);
}
