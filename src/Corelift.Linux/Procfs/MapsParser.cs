using System.Text;
using Corelift.Linux.Memory;

namespace Corelift.Linux.Procfs;

/// <summary>Parses /proc/PID/maps (proc_pid_maps(5)).</summary>
public static class MapsParser
{
    private const ulong SmallestPageBytes = 4096; // of any architecture here: larger pages are multiples of it

    /// <summary>Parses the whole file.</summary>
    /// <param name="text">The file's bytes. Empty text, as of a zombie or a kernel thread, is no VMAs.</param>
    /// <param name="limits">Most VMAs, and longest name.</param>
    /// <returns>The VMAs in order of address.</returns>
    /// <exception cref="ProcfsFormatException">Not the kernel's format, cut off, out of order, or above a limit.</exception>
    public static List<Vma> Parse(ReadOnlySpan<byte> text, ProcfsLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        var vmas = new List<Vma>(Math.Min(text.Length / 64, limits.MaxVmas));
        var lines = new LineReader(text);
        Vma? previous = null;
        ReadOnlySpan<byte> previousName = default;
        while (lines.TryRead(out ReadOnlySpan<byte> line))
        {
            CheckCount(vmas.Count, limits);
            previous = ParseLine(line, limits, previous, ref previousName);
            vmas.Add(previous);
        }

        return vmas;
    }

    /// <summary>Parses one line.</summary>
    /// <param name="line">The line without its newline.</param>
    /// <param name="limits">Longest name.</param>
    /// <exception cref="ProcfsFormatException">Not the kernel's format, cut off, or above a limit.</exception>
    public static Vma ParseLine(ReadOnlySpan<byte> line, ProcfsLimits limits)
    {
        ArgumentNullException.ThrowIfNull(limits);
        ReadOnlySpan<byte> previousName = default;
        return ParseLine(line, limits, null, ref previousName);
    }

    /// <summary>
    /// Parses a line that follows another: ends must ascend, and equal names share one string. Between two reads of the
    /// file the kernel goes on from the end of the last VMA that it gave: one that has been merged with its neighbour, or
    /// has grown, comes again from its beginning (fs/proc/task_mmu.c, proc_get_vma). What is new of it counts.
    /// </summary>
    internal static Vma ParseLine(
        ReadOnlySpan<byte> line, ProcfsLimits limits, Vma? previous, ref ReadOnlySpan<byte> previousName)
    {
        var fields = new FieldReader(line);
        var start = new RemoteAddress(fields.TakeHex());
        fields.Expect((byte)'-');
        var end = new RemoteAddress(fields.TakeHex());
        if (end <= start || (previous is not null && end <= previous.End))
        {
            throw new ProcfsFormatException("a VMA is empty, or ends before the one above it");
        }

        if ((start.Value | end.Value) % SmallestPageBytes != 0)
        {
            throw new ProcfsFormatException("a VMA does not begin and end with a page");
        }

        fields.Expect((byte)' ');
        VmaPermissions permissions = TakePermissions(ref fields);
        fields.Expect((byte)' ');
        ulong offsetBytes = fields.TakeHex();
        fields.Expect((byte)' ');
        uint major = TakeDeviceNumber(ref fields);
        fields.Expect((byte)':');
        uint minor = TakeDeviceNumber(ref fields);
        fields.Expect((byte)' ');
        ulong inode = fields.TakeDecimal();
        ReadOnlySpan<byte> name = TakeName(ref fields, limits);
        string text = previous is not null && name.SequenceEqual(previousName) ? previous.Name : DecodeName(name);
        previousName = name;
        RemoteAddress first = previous is not null && start < previous.End ? previous.End : start;
        if (inode != 0)
        {
            offsetBytes = unchecked(offsetBytes + (first - start));
        }

        return new Vma
        {
            Start = first,
            End = end,
            Permissions = permissions,
            FileOffsetBytes = offsetBytes,
            DeviceMajor = major,
            DeviceMinor = minor,
            Inode = inode,
            Name = text,
        };
    }

    internal static void CheckCount(int count, ProcfsLimits limits)
    {
        if (count >= limits.MaxVmas)
        {
            throw new ProcfsLimitException($"more than {limits.MaxVmas} VMAs");
        }
    }

    private static VmaPermissions TakePermissions(ref FieldReader fields)
    {
        VmaPermissions permissions = TakePermission(ref fields, 'r', '-', VmaPermissions.Read);
        permissions |= TakePermission(ref fields, 'w', '-', VmaPermissions.Write);
        permissions |= TakePermission(ref fields, 'x', '-', VmaPermissions.Execute);
        return permissions | TakePermission(ref fields, 's', 'p', VmaPermissions.Shared);
    }

    private static VmaPermissions TakePermission(ref FieldReader fields, char set, char clear, VmaPermissions meaning)
    {
        byte letter = fields.TakeByte();
        return letter == set ? meaning
            : letter == clear ? VmaPermissions.None
            : throw new ProcfsFormatException($"expected '{set}' or '{clear}'");
    }

    private static uint TakeDeviceNumber(ref FieldReader fields)
    {
        ulong number = fields.TakeHex();
        return number > uint.MaxValue ? throw new ProcfsFormatException("a device number is above 32 bits") : (uint)number;
    }

    private static ReadOnlySpan<byte> TakeName(scoped ref FieldReader fields, ProcfsLimits limits)
    {
        if (fields.AtEnd)
        {
            return default;
        }

        fields.Expect((byte)' ');

        // The kernel pads to column 73. A name that itself begins with a blank does not exist: paths begin with '/'.
        fields.SkipBlanks();
        return fields.Rest.Length > limits.MaxNameBytes
            ? throw new ProcfsFormatException($"a name is above {limits.MaxNameBytes} bytes")
            : fields.Rest;
    }

    private static string DecodeName(ReadOnlySpan<byte> name)
    {
        // show_map_vma writes seq_path(..., "\n"): a newline becomes \012, and nothing else is escaped, so nothing else is undone.
        ReadOnlySpan<byte> escape = "\\012"u8;
        if (name.IndexOf(escape) < 0)
        {
            return ProcfsText.Decode(name);
        }

        byte[] decoded = new byte[name.Length];
        int length = 0;
        while (!name.IsEmpty)
        {
            if (name.StartsWith(escape))
            {
                decoded[length++] = (byte)'\n';
                name = name[escape.Length..];
                continue;
            }

            decoded[length++] = name[0];
            name = name[1..];
        }

        return Encoding.UTF8.GetString(decoded, 0, length);
    }
}
