using System.Globalization;
using System.Text;
using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Planning;

/// <summary>What a target's cgroup has left: copies that a fork image causes, and the image itself, are charged to it.</summary>
internal static class CgroupHeadroom
{
    private const ulong Unlimited = 1UL << 62;
    private const string UnifiedRoot = "/sys/fs/cgroup";

    /// <summary>
    /// Bytes of memory up to the nearest limit, or null where none is set or none can be read. File pages that nobody used lately do not
    /// count as used: the kernel takes them first.
    /// </summary>
    internal static ulong? ReadMemory(ProcessDirectory target) => ReadCgroup(target) is { } cgroup
        ? Smaller(
            Nearest(UnifiedRoot, cgroup.Unified, "memory.max", "memory.current", "inactive_file "),
            Nearest($"{UnifiedRoot}/memory", cgroup.Memory, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "))
        : null;

    /// <summary>Number of tasks that may be added up to the nearest limit (pids.max), or null where none is set or can be read.</summary>
    internal static ulong? ReadTasks(ProcessDirectory target) => ReadCgroup(target) is { } cgroup
        ? Smaller(
            Nearest(UnifiedRoot, cgroup.Unified, "pids.max", "pids.current", null),
            Nearest($"{UnifiedRoot}/pids", cgroup.Pids, "pids.max", "pids.current", null))
        : null;

    private static CgroupPath? ReadCgroup(ProcessDirectory target)
    {
        try
        {
            return target.ReadCgroup();
        }
        catch (SyscallException)
        {
            return null;
        }
    }

    private static ulong? Nearest(string root, string? path, string limitName, string usageName, string? idleName)
    {
        ulong? nearest = null;
        for (string at = path ?? string.Empty; at.Length > 1; at = Path.GetDirectoryName(at) ?? string.Empty)
        {
            if (at.Contains("/..", StringComparison.Ordinal))
            {
                return null; // a cgroup outside our cgroup namespace
            }

            ulong? limit = ReadNumber(root + at, limitName);
            ulong? usage = ReadNumber(root + at, usageName);
            if (limit is < Unlimited && usage is not null)
            {
                ulong idle = idleName is null ? 0 : ReadIdleFilePages(root + at, idleName);
                ulong used = usage.Value - Math.Min(usage.Value, idle);
                nearest = Smaller(nearest, limit.Value - Math.Min(limit.Value, used));
            }
        }

        return nearest;
    }

    private static ulong ReadIdleFilePages(string directory, string name)
    {
        try
        {
            string? line = File.ReadLines(Path.Combine(directory, "memory.stat"), Encoding.ASCII).FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
            return line is not null && ulong.TryParse(line.AsSpan(name.Length), NumberStyles.None, CultureInfo.InvariantCulture, out ulong bytes) ? bytes : 0;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    private static ulong? Smaller(ulong? left, ulong? right) => left is null || right < left ? right : left;

    private static ulong? ReadNumber(string directory, string name)
    {
        try
        {
            string text = File.ReadAllText(Path.Combine(directory, name), Encoding.ASCII).Trim();
            return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) ? value : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
