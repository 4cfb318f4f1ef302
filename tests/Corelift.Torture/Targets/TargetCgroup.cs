using System.Globalization;

namespace Corelift.Torture.Targets;

/// <summary>A cgroup of one target, in one hierarchy of version 1 or in the unified one.</summary>
internal sealed class TargetCgroup : IDisposable
{
    private const string Top = "/sys/fs/cgroup";
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(10);
    private static int s_made;

    private readonly string _folder;

    private TargetCgroup(string root)
    {
        _folder = Path.Combine(root, string.Create(CultureInfo.InvariantCulture, $"corelift-torture-{Environment.ProcessId}-{Interlocked.Increment(ref s_made)}"));
        Directory.CreateDirectory(_folder);
    }

    private static string Unified => Directory.Exists(Top + "/unified") ? Top + "/unified" : Top;

    /// <summary>The file that takes a pid.</summary>
    internal string Processes => Path.Combine(_folder, "cgroup.procs");

    /// <summary>How often the kernel killed a process of it for want of memory.</summary>
    internal long KilledForMemory => Value("memory.oom_control", "oom_kill") + Value("memory.events", "oom_kill");

    /// <summary>One that can be frozen.</summary>
    internal static TargetCgroup ForFreezing() => new(Unified);

    /// <summary>One that may hold so many bytes.</summary>
    internal static TargetCgroup WithMemory(long bytes)
    {
        bool isOld = Directory.Exists(Top + "/memory");
        TargetCgroup cgroup = new(isOld ? Top + "/memory" : Unified);
        cgroup.Write(isOld ? "memory.limit_in_bytes" : "memory.max", bytes.ToString(CultureInfo.InvariantCulture));
        return cgroup;
    }

    /// <summary>One whose tasks can be limited.</summary>
    internal static TargetCgroup ForTasks() => new(Directory.Exists(Top + "/pids") ? Top + "/pids" : Unified);

    /// <summary>Lets it have no more tasks than it has.</summary>
    internal void AllowNoMoreTasks() => Write("pids.max", File.ReadAllText(Path.Combine(_folder, "pids.current")).Trim());

    /// <summary>Freezes or thaws it, and waits until it is so.</summary>
    internal void Freeze(bool freezes)
    {
        Write("cgroup.freeze", freezes ? "1" : "0");
        Wait.UntilAsync(() => Value("cgroup.events", "frozen") == (freezes ? 1 : 0), s_bound, "the cgroup frozen or thawed").GetAwaiter().GetResult();
    }

    /// <summary>Removes it; its process must have ended.</summary>
    public void Dispose() => Wait.UntilAsync(TryRemove, s_bound, $"{_folder} removed").GetAwaiter().GetResult();

    private bool TryRemove()
    {
        try
        {
            Directory.Delete(_folder);
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
