using System.Globalization;
using Corelift.Agent.Access;
using Corelift.Linux;
using Corelift.Linux.Procfs;
using Corelift.V1;
using LinuxRef = Corelift.Linux.ProcessRef;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;
using Vma = Corelift.Linux.Procfs.Vma;

namespace Corelift.Agent.Services;

/// <summary>All that /proc says of one process, for GetProcess, plans and captures. Touches nothing and stops nobody.</summary>
internal sealed class ProcessDescriber(IPodDirectory pods)
{
    private readonly ProcfsLimits _limits = ProcfsLimits.Default;

    /// <summary>Describes a process and its pod, which may take a look at the API server (2 s at most).</summary>
    /// <exception cref="Grpc.Core.RpcException">As for <see cref="Describe(LinuxRef)"/>.</exception>
    internal async ValueTask<Process> DescribeAsync(LinuxRef wanted, CancellationToken cancellationToken)
    {
        Process process = Describe(wanted);
        await process.Summary.AddPodAsync(pods, cancellationToken).ConfigureAwait(false);
        return process;
    }

    /// <summary>Describes a process without its pod; with start time 0, whichever has the pid.</summary>
    /// <exception cref="Grpc.Core.RpcException">It is not there, another one, a kernel thread, or the kernel refuses.</exception>
    internal Process Describe(LinuxRef wanted)
    {
        using TargetLookup target = TargetLookup.Open(wanted);
        return target.Look(Describe);
    }

    private Process Describe(TargetLookup target)
    {
        CgroupPath cgroup = target.Directory.ReadCgroup();
        ProcessDirectory? live = target.FindLiveTask();
        try
        {
            TaskStatus status = live is null || live == target.Directory ? target.Status : live.ReadStatus();
            List<Vma> vmas = live is null ? [] : Try(() => live.ReadMaps(limits: _limits), []);
            ExecutableFile executable = live is null ? ExecutableFile.Unknown : ExecutableFile.Read(live);
            var process = new Process
            {
                Summary = ProcessSummaries.Describe(live ?? target.Directory, target.Stat, status, cgroup),
                Executable = live is null ? string.Empty : Try(() => live.ReadLink("exe"), string.Empty),
                BuildId = executable.BuildId,
                ParentPid = (uint)Math.Max(0, target.Status.ParentPid),
                EffectiveUid = target.Status.Uid.Effective,
                Gid = target.Status.Gid.Real,
                Cgroup = cgroup.Path,
                Memory = DescribeMemory(status, vmas.Count),
                Tracer = FindTracer(status.TracerPid),
                Seccomp = FindSeccomp(target, status),
                Dumpable = target.Directory.IsDumpable(target.Status.Uid),
                ElfMachine = executable.Machine,
                Runtime = FindRuntime(vmas, executable),
            };
            AddNamespaces(process, live ?? target.Directory);
            return process;
        }
        finally
        {
            if (live != target.Directory)
            {
                live?.Dispose();
            }
        }
    }

    /// <summary>The managed runtime that the mappings or the executable show.</summary>
    internal static string FindRuntime(IReadOnlyList<Vma> vmas, ExecutableFile executable)
    {
        foreach (Vma vma in vmas)
        {
            if (IsFile(vma.Name, "libcoreclr.so"))
            {
                return "coreclr";
            }

            if (IsFile(vma.Name, "libjvm.so"))
            {
                return "jvm";
            }
        }

        return executable.IsGo ? "go" : string.Empty;
    }

    private static bool IsFile(string path, string name)
    {
        const string Deleted = " (deleted)";
        ReadOnlySpan<char> text = path;
        text = text.EndsWith(Deleted, StringComparison.Ordinal) ? text[..^Deleted.Length] : text;
        return text.EndsWith(name, StringComparison.Ordinal) && text.Length > name.Length && text[^(name.Length + 1)] == '/';
    }

    private static MemoryUsage DescribeMemory(TaskStatus status, int vmaCount) => new()
    {
        VirtualBytes = status.VirtualBytes,
        ResidentBytes = status.ResidentBytes,
        AnonymousBytes = status.ResidentAnonymousBytes,
        FileBytes = status.ResidentFileBytes,
        SharedBytes = status.ResidentSharedBytes,
        SwappedBytes = status.SwappedBytes,
        PageTableBytes = status.PageTableBytes,
        PinnedBytes = status.PinnedBytes,
        HugetlbBytes = status.HugetlbBytes,
        VmaCount = (uint)vmaCount,
    };

    private static Tracer? FindTracer(int tracer)
    {
        if (tracer <= 0)
        {
            return null;
        }

        // The kernel names the tracing thread; its process is what somebody can end.
        return Try(
            () =>
            {
                using ProcessDirectory directory = ProcessDirectory.Open(tracer);
                TaskStatus status = directory.ReadStatus();
                return new Tracer { Pid = (uint)status.Tgid, Name = status.Name };
            },
            new Tracer { Pid = (uint)tracer });
    }

    private static SeccompMode FindSeccomp(TargetLookup target, TaskStatus status)
    {
        SeccompMode strictest = ToMode(status.SeccompMode);
        if (strictest != SeccompMode.Disabled)
        {
            return strictest;
        }

        // A filter can be one thread's own. Most processes have none on any, so this looks at all of them.
        using var buffer = new ProcfsBuffer();
        foreach (int tid in target.Directory.ListTasks())
        {
            int mode = Try(() => target.Directory.ReadTaskStatus(tid, buffer).SeccompMode, 0);
            if (mode > 0)
            {
                return ToMode(mode);
            }
        }

        return strictest;
    }

    private static SeccompMode ToMode(int mode) => mode switch
    {
        0 => SeccompMode.Disabled,
        1 => SeccompMode.Strict,
        2 => SeccompMode.Filter,
        _ => SeccompMode.Unspecified,
    };

    private static void AddNamespaces(Process process, ProcessDirectory directory)
    {
        foreach (string name in ProcessDirectory.Namespaces)
        {
            // "pid:[4026531836]"
            string link = Try(() => directory.ReadLink("ns/" + name), string.Empty);
            int open = link.IndexOf('[', StringComparison.Ordinal);
            if (open > 0 && link.EndsWith(']')
                && ulong.TryParse(link.AsSpan((open + 1)..^1), NumberStyles.None, CultureInfo.InvariantCulture, out ulong inode))
            {
                process.Namespaces[name] = inode;
            }
        }
    }

    /// <summary>What the kernel refuses, or this kernel does not have, is left out; the rest of a description is still worth having.</summary>
    private static T Try<T>(Func<T> read, T otherwise)
    {
        try
        {
            return read();
        }
        catch (SyscallException)
        {
            return otherwise;
        }
    }
}
