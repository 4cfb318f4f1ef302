using System.Globalization;

namespace Corelift.Linux.Procfs;

/// <summary>
/// What a task's stat says of who it is, for one who must not trip over what a process can write there: nothing but the
/// numbers after the last closing bracket is looked at, and the name before it is not.
/// </summary>
/// <param name="ParentPid">Parent's pid; 0 where it lies outside the reader's pid namespace.</param>
/// <param name="StartTimeTicks">Start in clock ticks since boot.</param>
public readonly record struct TaskIdentity(int ParentPid, ulong StartTimeTicks)
{
    private const int MostBytes = 1024; // the longest stat has some 400
    private const int ParentField = 1; // of the fields after the name
    private const int StartField = 19;

    /// <summary>Reads stat.</summary>
    /// <exception cref="SyscallException">The task has gone.</exception>
    /// <exception cref="ProcfsFormatException">It is not as the kernel writes it.</exception>
    public static TaskIdentity Read(ProcessDirectory directory)
    {
        ArgumentNullException.ThrowIfNull(directory);
        Span<byte> text = stackalloc byte[MostBytes];
        return Parse(text[..directory.ReadStart("stat", text)]);
    }

    /// <summary>Parses the text of stat.</summary>
    /// <exception cref="ProcfsFormatException">It is not as the kernel writes it.</exception>
    public static TaskIdentity Parse(ReadOnlySpan<byte> stat)
    {
        int end = stat.LastIndexOf((byte)')');
        ReadOnlySpan<byte> rest = end < 0 || end + 2 > stat.Length ? default : stat[(end + 2)..];
        int parent = -1;
        for (int field = 0; !rest.IsEmpty; field++)
        {
            int blank = rest.IndexOf((byte)' ');
            ReadOnlySpan<byte> text = blank < 0 ? rest : rest[..blank];
            if (field == ParentField && !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out parent))
            {
                break;
            }

            if (field == StartField && parent >= 0 && ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong start))
            {
                return new TaskIdentity(parent, start);
            }

            rest = blank < 0 ? default : rest[(blank + 1)..];
        }

        throw new ProcfsFormatException("stat has no parent or no start time");
    }
}
