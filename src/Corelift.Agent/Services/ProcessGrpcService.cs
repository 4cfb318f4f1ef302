using System.Globalization;
using Corelift.Agent.Access;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Corelift.Linux.Procfs;
using Corelift.V1;
using Grpc.Core;
using ProcessRef = Corelift.V1.ProcessRef;
using TaskStatus = Corelift.Linux.Procfs.TaskStatus;
using WireThread = Corelift.V1.Thread;

namespace Corelift.Agent.Services;

/// <summary>Looks at processes through /proc (corelift.v1.ProcessService). Stateless; every call reads anew.</summary>
internal sealed class ProcessGrpcService(ProcessDescriber describer, IPodDirectory pods, AccessGate gate) : ProcessService.ProcessServiceBase
{
    private const int UsualProcesses = 500;
    private const int MaxProcesses = 5000;
    private const int UsualItems = 1000;
    private const int MaxItems = 10_000;

    public override async Task<ListProcessesResponse> ListProcesses(ListProcessesRequest request, ServerCallContext context)
    {
        var filter = new ProcessFilter(request);
        var podFilter = new PodFilter(request, pods);
        ulong after = PageToken.Read(PageKind.Processes, request.PageToken) ?? 0;
        int size = PageToken.Size(request.PageSize, UsualProcesses, MaxProcesses);
        var response = new ListProcessesResponse();
        using var buffer = new ProcfsBuffer();
        foreach (int pid in filter.Candidates())
        {
            if ((ulong)pid <= after)
            {
                continue;
            }

            context.CancellationToken.ThrowIfCancellationRequested();
            if (Summarize(pid, filter, buffer) is not ProcessSummary summary
                || !await podFilter.TakesAsync(summary, context.CancellationToken)
                || !await gate.ShowsAsync(context.GetCaller(), new Linux.ProcessRef(pid, summary.Ref.StartTimeTicks), context.CancellationToken))
            {
                continue;
            }

            // One more than fits shows that there is a next page: an empty last page would be a lie about the one before.
            if (response.Processes.Count == size)
            {
                response.NextPageToken = PageToken.Write(PageKind.Processes, response.Processes[^1].Ref.Pid);
                break;
            }

            response.Processes.Add(summary);
        }

        return response;
    }

    public override async Task<GetProcessResponse> GetProcess(GetProcessRequest request, ServerCallContext context) =>
        new() { Process = await describer.DescribeAsync(await InspectAsync(request.Ref, context), context.CancellationToken) };

    public override async Task<ListThreadsResponse> ListThreads(ListThreadsRequest request, ServerCallContext context)
    {
        ulong after = PageToken.Read(PageKind.Threads, request.PageToken) ?? 0;
        int size = PageToken.Size(request.PageSize, UsualItems, MaxItems);
        using TargetLookup target = TargetLookup.Open(await InspectAsync(request.Ref, context));
        return target.Look(found => ListThreads(found.Directory, after, size, context.CancellationToken));
    }

    public override async Task<ListVmasResponse> ListVmas(ListVmasRequest request, ServerCallContext context)
    {
        ulong? after = PageToken.Read(PageKind.Vmas, request.PageToken);
        int size = PageToken.Size(request.PageSize, UsualItems, MaxItems);
        using TargetLookup target = TargetLookup.Open(await InspectAsync(request.Ref, context));
        return target.Look(found => ListVmas(found, request.Details, after, size));
    }

    private Task<Linux.ProcessRef> InspectAsync(ProcessRef wanted, ServerCallContext context) =>
        gate.RequireInspectAsync(context.GetCaller(), RequestLimits.ToTarget(wanted), context.CancellationToken);

    private static ProcessSummary? Summarize(int pid, ProcessFilter filter, ProcfsBuffer buffer)
    {
        try
        {
            using ProcessDirectory directory = ProcessDirectory.Open(pid);
            TaskStat stat = directory.ReadStat(buffer);
            if (stat.IsKernelThread || !filter.TakesName(stat, directory))
            {
                return null;
            }

            TaskStatus status = directory.ReadStatus(buffer);
            if (!filter.TakesUid(status) || (filter.NamesPids && !status.IsLeader))
            {
                return null;
            }

            CgroupPath cgroup = directory.ReadCgroup(buffer);
            return filter.TakesContainer(cgroup) ? ProcessSummaries.Describe(directory, stat, status, cgroup) : null;
        }
        catch (SyscallException failure) when (failure.IsTaskGone || failure.IsDenied)
        {
            return null; // ended meanwhile, or hidden (hidepid): no process of this list
        }
    }

    private static ListThreadsResponse ListThreads(ProcessDirectory directory, ulong after, int size, CancellationToken cancellationToken)
    {
        var response = new ListThreadsResponse();
        using var buffer = new ProcfsBuffer();
        foreach (int tid in directory.ListTasks())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if ((ulong)tid <= after || DescribeThread(directory, tid, buffer) is not WireThread thread)
            {
                continue;
            }

            if (response.Threads.Count == size)
            {
                response.NextPageToken = PageToken.Write(PageKind.Threads, response.Threads[^1].Tid);
                break;
            }

            response.Threads.Add(thread);
        }

        return response;
    }

    private static WireThread? DescribeThread(ProcessDirectory directory, int tid, ProcfsBuffer buffer)
    {
        try
        {
            TaskStat stat = directory.ReadTaskStat(tid, buffer);
            return new WireThread
            {
                Tid = (uint)tid,
                Name = stat.Name,
                State = stat.State.ToString(CultureInfo.InvariantCulture),
                WaitChannel = directory.ReadWaitChannel(tid, buffer),
                UserTimeUs = BootClock.ToMicroseconds(stat.UserTimeTicks),
                SystemTimeUs = BootClock.ToMicroseconds(stat.SystemTimeTicks),
                Cpu = (uint)Math.Max(0, stat.Processor),
            };
        }
        catch (SyscallException failure) when (failure.IsTaskGone)
        {
            return null;
        }
    }

    private static ListVmasResponse ListVmas(TargetLookup target, bool details, ulong? after, int size)
    {
        var response = new ListVmasResponse();
        ProcessDirectory? live = target.FindLiveTask();
        try
        {
            List<VmaDetails> vmas = live is null ? [] : details ? live.ReadSmaps() : [.. live.ReadMaps().Select(vma => new VmaDetails { Vma = vma })];
            foreach (VmaDetails vma in vmas.Where(vma => after is not ulong start || vma.Vma.Start.Value > start))
            {
                if (response.Vmas.Count == size)
                {
                    response.NextPageToken = PageToken.Write(PageKind.Vmas, response.Vmas[^1].Range.Start);
                    break;
                }

                response.Vmas.Add(vma.ToWire());
            }

            return response;
        }
        finally
        {
            if (live != target.Directory)
            {
                live?.Dispose();
            }
        }
    }
}
