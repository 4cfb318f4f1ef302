using System.Globalization;
using System.Text;
using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Capture.Planning;

/// <summary>How much memory a target's cgroup has left: copies that a fork image causes are charged to it.</summary>
internal static class MemoryHeadroom
{
    private const ulong Unlimited = 1UL << 62;

    /// <summary>
    /// Bytes up to the nearest limit, or null where none is set or none can be read. File pages that nobody used lately do not
    /// count as used: the kernel takes them first.
    /// </summary>
    internal static ulong? Read(ProcessDirectory target)
    {
        CgroupPath cgroup;
        try
        {
            cgroup = target.ReadCgroup();
        }
        catch (SyscallException)
        {
            return null;
        }

        ulong? headroom = cgroup.Unified is null
            ? null
            : Nearest("/sys/fs/cgroup", cgroup.Unified, "memory.max", "memory.current", "inactive_file ");
        return cgroup.Memory is null
            ? headroom
            : Smaller(headroom, Nearest("/sys/fs/cgroup/memory", cgroup.Memory, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "));
    }

    private static ulong? Nearest(string root, string path, string limitName, string usageName, string idleName)
    {
        ulong? nearest = null;
        for (string at = path; at.Length > 1; at = Path.GetDirectoryName(at) ?? string.Empty)
        {
            if (at.Contains("/..", StringComparison.Ordinal))
            {
                return null; // a cgroup outside our cgroup namespace
            }

            ulong? limit = ReadNumber(root + at, limitName);
            ulong? usage = ReadNumber(root + at, usageName);
            if (limit is < Unlimited && usage is not null)
            {
                ulong used = usage.Value - Math.Min(usage.Value, ReadIdleFilePages(root + at, idleName));
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
