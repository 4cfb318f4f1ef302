using System.Text;
using Corelift.Fuzz.Engine;
using Corelift.Linux.Procfs;
using Corelift.Linux.Ptrace;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Fuzz.Targets;

/// <summary>stat, status, cgroup, sched, pressure and the inode numbers of maps: the name in the first two is the target's.</summary>
internal sealed class TaskFilesTarget : IFuzzTarget
{
    private static readonly ProcfsLimits s_limits = new() { MaxCgroupLines = 16, MaxNamespaceDepth = 8 };

    public static string Name => "task-files";

    public static IReadOnlyList<string> Words =>
    [
        ") R 1 1", "(", ")", "\nTgid:\t1\n", "Name:\t", "Uid:\t0\t0\t0\t0\n", "Groups:\t", "NSpid:\t", "Seccomp:\t", "\\n", "\\\\", " kB\n", "memory", "::/", ".scope", "docker-", "conmon",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "total=", "some ", "se.exec_start", "nr_voluntary_switches", " : ", "-", "State:\t",
    ];

    public static IEnumerable<byte[]> Seeds =>
    [
        ProcText.Bytes(0, ProcText.Stat), ProcText.Bytes(1, ProcText.Stat), ProcText.Bytes(2, ProcText.Status), ProcText.Bytes(3, ProcText.Cgroup),
        ProcText.Bytes(4, ProcText.Sched), ProcText.Bytes(5, ProcText.Pressure), ProcText.Bytes(6, ProcText.Maps),
    ];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        ReadOnlySpan<byte> text = input[1..];
        try
        {
            switch (input[0] % 7)
            {
                case 0:
                    _ = TaskStat.Parse(text).Name;
                    break;
                case 1:
                    _ = TaskIdentity.Parse(text);
                    break;
                case 2:
                    TaskStatus status = TaskStatus.Parse(text, s_limits);
                    _ = (status.Name, status.IsLeader);
                    break;
                case 3:
                    _ = CgroupPath.Parse(text, s_limits).Path;
                    break;
                case 4:
                    _ = TaskClock.TryReadLastRun(text, out _);
                    break;
                case 5:
                    _ = PressureFile.ParseTotal(Encoding.ASCII.GetString(text));
                    break;
                default:
                    TakeInodes(text);
                    break;
            }
        }
        catch (ProcfsFormatException)
        {
            // What is documented.
        }
    }

    /// <summary>In two pieces as well as in one the answer is the same.</summary>
    private static void TakeInodes(ReadOnlySpan<byte> text)
    {
        int half = text.Length / 2;
        var whole = new MappedInodes.LineState { Wanted = 4096 };
        var halves = new MappedInodes.LineState { Wanted = 4096 };
        if (whole.TakesAny(text) != (halves.TakesAny(text[..half]) || halves.TakesAny(text[half..])))
        {
            throw new InvalidOperationException("another answer where the text comes in pieces");
        }
    }
}
