using System.Globalization;
using System.Text;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Corelift.V1;
using Google.Protobuf.WellKnownTypes;
using ProcessRef = Corelift.V1.ProcessRef;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;

namespace Corelift.Agent.Services;

/// <summary>What lists say of a process: four small files of /proc, nothing that takes a lock of the target.</summary>
internal static class ProcessSummaries
{
    private const int MaxCommandLineBytes = 4096;

    /// <summary>A summary.</summary>
    internal static ProcessSummary Describe(ProcessDirectory directory, TaskStat stat, TaskStatus status, CgroupPath cgroup)
    {
        var summary = new ProcessSummary
        {
            Ref = new ProcessRef { Pid = (uint)stat.Tid, StartTimeTicks = stat.StartTimeTicks },
            Name = stat.Name,
            Uid = status.Uid.Real,
            ThreadCount = (uint)Math.Max(0, stat.ThreadCount),
            ResidentBytes = status.ResidentBytes,
            ContainerId = cgroup.ContainerId,
            State = stat.State.ToString(CultureInfo.InvariantCulture),
            StartedAt = Timestamp.FromDateTimeOffset(BootClock.ToTime(stat.StartTimeTicks)),
        };
        summary.CommandLine.AddRange(ReadArguments(directory));
        return summary;
    }

    /// <summary>Splits the text of a cmdline file; what does not fit is left out from the first argument that does not.</summary>
    /// <param name="text">Arguments, each ended by a zero byte; a process that rewrote its own may end without one.</param>
    /// <param name="limitBytes">Most bytes, terminators among them.</param>
    internal static List<string> Split(ReadOnlySpan<byte> text, int limitBytes)
    {
        var arguments = new List<string>();
        bool isCut = text.Length > limitBytes;
        text = isCut ? text[..limitBytes] : text;
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)0);
            if (end < 0 && isCut && arguments.Count > 0)
            {
                break;
            }

            arguments.Add(Encoding.UTF8.GetString(end < 0 ? text : text[..end]));
            text = end < 0 ? default : text[(end + 1)..];
        }

        return arguments;
    }

    /// <summary>Reads the arguments; none where the kernel refuses.</summary>
    internal static List<string> ReadArguments(ProcessDirectory directory)
    {
        Span<byte> text = stackalloc byte[MaxCommandLineBytes + 1];
        try
        {
            int length = directory.ReadStart("cmdline", text);
            return Split(text[..length], MaxCommandLineBytes);
        }
        catch (SyscallException failure) when (failure.IsDenied)
        {
            return [];
        }
    }
}
