using System.Globalization;

namespace Corelift.Testing;

/// <summary>Reading /proc of other processes, written apart from the agent's own parsers on purpose.</summary>
public static class Proc
{
    /// <summary>Whether a process or task is there, as a zombie or alive.</summary>
    public static bool Exists(int pid) => Directory.Exists($"/proc/{pid}");

    /// <summary>Path of the program that a process runs.</summary>
    public static string Executable(int pid) =>
        File.ResolveLinkTarget($"/proc/{pid}/exe", returnFinalTarget: false)?.FullName ?? throw new TestingException($"{pid} has no program: is it gone?");

    /// <summary>Arguments that a process was started with; empty where it is gone.</summary>
    public static string[] Arguments(int pid)
    {
        string text = string.Join('\n', Lines($"/proc/{pid}/cmdline"));
        return text.Length == 0 ? [] : text.TrimEnd('\0').Split('\0');
    }

    /// <summary>Sends SIGKILL; nothing where it has ended already.</summary>
    public static void Kill(int pid) => _ = pid > 0 ? Native.Kill(pid, Native.SigKill) : 0;

    /// <summary>Sends a signal; nothing where it has ended already.</summary>
    public static void Signal(int pid, int signal) => _ = pid > 0 ? Native.Kill(pid, signal) : 0;

    /// <summary>One field of a task's status; null where the task or the field is not there.</summary>
    public static string? Status(int pid, string key, int? tid = null)
    {
        string prefix = key + ":";
        return Lines($"/proc/{pid}/{(tid is null ? "" : $"task/{tid}/")}status")
            .FirstOrDefault(line => line.StartsWith(prefix, StringComparison.Ordinal))?[prefix.Length..].Trim();
    }

    /// <summary>A number of kibibytes of status (VmRSS, VmHWM ...), in bytes; 0 where it is not there.</summary>
    public static long StatusBytes(int pid, string key) =>
        Status(pid, key) is { } text ? 1024 * long.Parse(text.Split(' ')[0], CultureInfo.InvariantCulture) : 0;

    /// <summary>The fields of stat after the name: index 0 is field 3 of proc(5), the state.</summary>
    public static string[] Stat(string path)
    {
        string text = string.Join('\n', Lines(path)); // a name may hold line feeds
        int end = text.LastIndexOf(')');
        return end < 0 ? [] : text[(end + 2)..].Split(' ');
    }

    /// <summary>Start of a process in ticks since boot (field 22 of stat); 0 where there is none.</summary>
    public static ulong StartTime(int pid) =>
        Stat($"/proc/{pid}/stat") is { Length: > 19 } fields ? ulong.Parse(fields[19], CultureInfo.InvariantCulture) : 0;

    /// <summary>State letter of a process (its leader) or task; "-" where it is gone.</summary>
    public static string State(int pid, int? tid = null) =>
        Stat(tid is null ? $"/proc/{pid}/stat" : $"/proc/{pid}/task/{tid}/stat") is { Length: > 0 } fields ? fields[0] : "-";

    /// <summary>Tasks of a process, ascending.</summary>
    public static int[] Tasks(int pid) => Numbers($"/proc/{pid}/task");

    /// <summary>Processes whose parent this is, zombies too, whatever their exit signal.</summary>
    public static int[] Children(int pid)
    {
        string parent = pid.ToString(CultureInfo.InvariantCulture);
        return [.. Numbers("/proc").Where(other => Stat($"/proc/{other}/stat") is { Length: > 1 } fields && fields[1] == parent)];
    }

    /// <summary>The same as <see cref="Children"/>, and quicker: no other process is asked (a kernel with CONFIG_PROC_CHILDREN).</summary>
    public static int[] OwnChildren(int pid) => File.Exists("/proc/thread-self/children")
        ? [
            .. Tasks(pid).SelectMany(tid => Lines($"/proc/{pid}/task/{tid}/children"))
                .SelectMany(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(word => int.Parse(word, CultureInfo.InvariantCulture)).Order(),
        ]
        : Children(pid);

    /// <summary>Children, their children, and so on.</summary>
    public static int[] Descendants(int pid) => [.. Children(pid).SelectMany(child => Descendants(child).Prepend(child))];

    /// <summary>Whether a userfaultfd tracks writes to a mapping of the process (VmFlags "uw"; proc(5)).</summary>
    public static bool TracksWrites(int pid) =>
        VmFlags(pid.ToString(CultureInfo.InvariantCulture)).Any(flags => flags.Contains(" uw ", StringComparison.Ordinal));

    /// <summary>
    /// Whether writes to the process's memory have begun to be tracked: by a userfaultfd, or, on a kernel that has soft-dirty bits
    /// (VmFlags "sd" of every new mapping), by a reset of those.
    /// </summary>
    public static bool HasTrackedWrites(int pid) =>
        TracksWrites(pid) || (WritableFlags("self").Any(flags => flags.Contains(" sd ", StringComparison.Ordinal))
            && WritableFlags(pid.ToString(CultureInfo.InvariantCulture)).Any(flags => !flags.Contains(" sd ", StringComparison.Ordinal)));

    /// <summary>Processes with this comm.</summary>
    public static int[] Named(string name) => [.. Numbers("/proc").Where(pid => Status(pid, "Name") == name)];

    internal static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return []; // the process ended while we looked
        }
    }

    private static IEnumerable<string> WritableFlags(string process) => VmFlags(process).Where(flags => flags.Contains(" wr ", StringComparison.Ordinal));

    private static IEnumerable<string> VmFlags(string process) =>
        Lines($"/proc/{process}/smaps").Where(line => line.StartsWith("VmFlags:", StringComparison.Ordinal)).Select(line => line + ' ');

    private static int[] Numbers(string directory)
    {
        try
        {
            return
            [
                .. Directory.GetDirectories(directory).Select(Path.GetFileName)
                    .Where(name => int.TryParse(name, out _)).Select(name => int.Parse(name!, CultureInfo.InvariantCulture)).Order(),
            ];
        }
        catch (IOException)
        {
            return [];
        }
    }
}
