namespace Corelift.Agent.Checking;

/// <summary>Small files of /proc and /sys that say how the host is set up.</summary>
internal static class SystemFiles
{
    /// <summary>The file's text without blanks around it, or null where it is not there or not readable.</summary>
    internal static string? Read(string path)
    {
        try
        {
            return File.ReadAllText(path).Trim('\0', '\n', ' ');
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>The inode of one of this process's namespaces, or 0 where the kernel does not say.</summary>
    internal static uint NamespaceInode(string name)
    {
        try
        {
            string text = File.ResolveLinkTarget($"/proc/self/ns/{name}", returnFinalTarget: false)?.Name ?? string.Empty;
            int open = text.IndexOf('[', StringComparison.Ordinal);
            return open >= 0 && uint.TryParse(text[(open + 1)..].TrimEnd(']'), out uint inode) ? inode : 0;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }

    /// <summary>A line of /proc/meminfo in bytes, or 0.</summary>
    internal static long MemInfo(string name)
    {
        string? line = Read("/proc/meminfo")?.Split('\n').FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.Ordinal));
        string number = line?[(name.Length + 1)..].Replace("kB", string.Empty, StringComparison.Ordinal).Trim() ?? string.Empty;
        return long.TryParse(number, out long kibibytes) ? kibibytes * 1024 : 0;
    }

    /// <summary>The limit of this process's memory cgroup in bytes, or null without one.</summary>
    internal static long? MemoryLimit()
    {
        foreach (string line in Read("/proc/self/cgroup")?.Split('\n') ?? [])
        {
            string[] parts = line.Split(':', 3);
            string? file = parts.Length < 3 ? null
                : parts[1].Length == 0 ? $"/sys/fs/cgroup{parts[2]}/memory.max"
                : parts[1].Split(',').Contains("memory") ? $"/sys/fs/cgroup/memory{parts[2]}/memory.limit_in_bytes"
                : null;
            if (file is not null && long.TryParse(Read(file), out long bytes) && bytes < 1L << 60)
            {
                return bytes;
            }
        }

        return null;
    }
}
