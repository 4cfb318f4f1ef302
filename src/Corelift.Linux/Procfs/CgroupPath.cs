using System.Buffers;

namespace Corelift.Linux.Procfs;

/// <summary>Where a process stands in the cgroup hierarchies (/proc/PID/cgroup; cgroups(7)), v1, v2 or both.</summary>
public sealed record CgroupPath
{
    private const int ContainerIdLength = 64;
    private const string ScopeSuffix = ".scope";
    private static readonly SearchValues<char> s_hexDigits = SearchValues.Create("0123456789abcdef");

    /// <summary>Path in the unified (v2) hierarchy, or null without one.</summary>
    public string? Unified { get; init; }

    /// <summary>Path in the memory hierarchy of v1, or null without one.</summary>
    public string? Memory { get; init; }

    /// <summary>Path in the pids hierarchy of v1, or null without one.</summary>
    public string? Pids { get; init; }

    /// <summary>Path in the freezer hierarchy of v1, or null without one.</summary>
    public string? Freezer { get; init; }

    /// <summary>Id of the innermost container that a path names, 64 lower-case hexadecimal digits; empty outside containers.</summary>
    public string ContainerId { get; init; } = string.Empty;

    /// <summary>The path whose memory limit holds: of v1 where memory is managed there, else of v2. Empty without any.</summary>
    public string Path => Memory ?? Unified ?? string.Empty;

    /// <summary>Parses the file.</summary>
    /// <exception cref="ProcfsFormatException">Not the kernel's format, cut off, or above a limit.</exception>
    public static CgroupPath Parse(ReadOnlySpan<byte> text, ProcfsLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        string? unified = null;
        string? memory = null;
        string? pids = null;
        string? freezer = null;
        string containerId = string.Empty;
        var lines = new LineReader(text);
        for (int count = 0; lines.TryRead(out ReadOnlySpan<byte> line); count++)
        {
            if (count >= limits.MaxCgroupLines)
            {
                throw new ProcfsFormatException($"more than {limits.MaxCgroupLines} cgroup hierarchies");
            }

            ReadOnlySpan<byte> rest = After(line, out _);
            string path = ProcfsText.Decode(After(rest, out ReadOnlySpan<byte> controllers));
            unified = controllers.IsEmpty ? path : unified;
            memory = Names(controllers, "memory"u8) ? path : memory;
            pids = Names(controllers, "pids"u8) ? path : pids;
            freezer = Names(controllers, "freezer"u8) ? path : freezer;
            containerId = containerId.Length == 0 ? FindContainerId(path) : containerId;
        }

        return new CgroupPath { Unified = unified, Memory = memory, Pids = pids, Freezer = freezer, ContainerId = containerId };
    }

    /// <summary>
    /// The last component of <paramref name="path"/> that is a container's: 64 hexadecimal digits, bare or as runtimes
    /// dress them (docker-ID.scope, cri-containerd-ID.scope, crio-ID, libpod-ID, slice:cri-containerd:ID). A runtime's
    /// own monitor (conmon) is no container.
    /// </summary>
    public static string FindContainerId(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        ReadOnlySpan<char> rest = path;
        while (!rest.IsEmpty)
        {
            int slash = rest.LastIndexOf('/');
            ReadOnlySpan<char> component = rest[(slash + 1)..];
            rest = slash < 0 ? default : rest[..slash];
            if (component.EndsWith(ScopeSuffix, StringComparison.Ordinal))
            {
                component = component[..^ScopeSuffix.Length];
            }

            int prefix = component.Length - ContainerIdLength;
            if (prefix < 0 || component[prefix..].ContainsAnyExcept(s_hexDigits))
            {
                continue;
            }

            bool dressed = prefix > 0 && component[prefix - 1] is '-' or ':';
            if (prefix == 0 || (dressed && !component[..prefix].Contains("conmon", StringComparison.Ordinal)))
            {
                return component[prefix..].ToString();
            }
        }

        return string.Empty;
    }

    private static ReadOnlySpan<byte> After(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> before)
    {
        int colon = line.IndexOf((byte)':');
        if (colon < 0)
        {
            throw new ProcfsFormatException("a line of cgroup has no colon");
        }

        before = line[..colon];
        return line[(colon + 1)..];
    }

    private static bool Names(ReadOnlySpan<byte> controllers, ReadOnlySpan<byte> name)
    {
        foreach (Range range in controllers.Split((byte)','))
        {
            if (controllers[range].SequenceEqual(name))
            {
                return true;
            }
        }

        return false;
    }
}
