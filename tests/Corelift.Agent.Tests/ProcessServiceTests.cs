using Corelift.Agent.Access;
using Corelift.Agent.Access.Policy;
using Corelift.Agent.Services;
using Corelift.Linux.Procfs;
using Corelift.V1;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using LinuxRef = Corelift.Linux.ProcessRef;
using Process = Corelift.V1.Process;

namespace Corelift.Agent.Tests;

/// <summary>Descriptions of this very process, and of what is none.</summary>
public sealed class ProcessServiceTests
{
    [Fact]
    public void This_process_is_described()
    {
        Process process = new ProcessDescriber(new NoPodDirectory()).Describe(new LinuxRef(Environment.ProcessId, 0));
        Assert.Equal((uint)Environment.ProcessId, process.Summary.Ref.Pid);
        Assert.Equal(Environment.ProcessPath, process.Executable);
        Assert.Equal(("coreclr", 62u, SeccompMode.Disabled), (process.Runtime, process.ElfMachine, process.Seccomp));
        Assert.True(process.Dumpable);
        Assert.Null(process.Tracer);
        Assert.True(process.Memory.VmaCount > 10 && process.Memory.ResidentBytes > 1 << 20);
        Assert.Contains("pid", process.Namespaces.Keys);
        Assert.True(process.Namespaces["mnt"] > 0);
        Assert.InRange(process.Summary.StartedAt.ToDateTimeOffset(), DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddSeconds(1));
        Assert.NotEmpty(process.Summary.CommandLine);
    }

    [Fact]
    public void Another_incarnation_a_thread_and_nobody_are_told_apart()
    {
        // "PID/task/TID" of this thread, which is there for as long as it looks at itself; others come and go.
        int thread = int.Parse(Path.GetFileName(new FileInfo("/proc/thread-self").LinkTarget!), System.Globalization.CultureInfo.InvariantCulture);
        Fails(new LinuxRef(Environment.ProcessId, 1), StatusCode.Aborted);
        Fails(new LinuxRef(thread, 0), StatusCode.InvalidArgument);
        Fails(new LinuxRef(4_194_303, 0), StatusCode.NotFound);
        if (ProcessTable.ListPids().Contains(2))
        {
            Fails(new LinuxRef(2, 0), StatusCode.FailedPrecondition);
        }
    }

    [Fact]
    public async Task Pages_of_vmas_and_threads_join_to_the_whole()
    {
        var gate = new AccessGate(
            [new HostRights()], new TargetIdentityReader(new NoPodDirectory()), new NoPolicy(), NullLogger<AccessGate>.Instance);
        var service = new ProcessGrpcService(new ProcessDescriber(new NoPodDirectory()), new NoPodDirectory(), gate);
        var context = new CallContext(new Caller(CallerKind.UnixPeer, "uid:0"));
        var target = new ProcessRef { Pid = (uint)Environment.ProcessId };
        var starts = new List<ulong>();
        var request = new ListVmasRequest { Ref = target, PageSize = 50, Details = true };
        do
        {
            ListVmasResponse page = await service.ListVmas(request, context);
            Assert.InRange(page.Vmas.Count, 1, 50);
            starts.AddRange(page.Vmas.Select(vma => vma.Range.Start));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);

        Assert.Equal(starts.Order(), starts);
        Assert.Equal(starts.Distinct().Count(), starts.Count);
        Assert.True(starts.Count > 100);
    }

    private static void Fails(LinuxRef target, StatusCode code) =>
        Assert.Equal(code, Assert.Throws<RpcException>(() => new ProcessDescriber(new NoPodDirectory()).Describe(target)).StatusCode);
}
