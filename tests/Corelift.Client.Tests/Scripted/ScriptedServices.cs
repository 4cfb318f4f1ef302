using Corelift.V1;
using Grpc.Core;

namespace Corelift.Client.Tests.Scripted;

internal sealed class ScriptedProcesses(AgentScript script) : ProcessService.ProcessServiceBase
{
    public override Task<ListProcessesResponse> ListProcesses(ListProcessesRequest request, ServerCallContext context) =>
        Task.FromResult(script.ListProcesses(request));

    public override Task<GetProcessResponse> GetProcess(GetProcessRequest request, ServerCallContext context) =>
        Task.FromResult(script.GetProcess(request));

    public override Task<ListThreadsResponse> ListThreads(ListThreadsRequest request, ServerCallContext context) =>
        Task.FromResult(script.ListThreads(request));

    public override Task<ListVmasResponse> ListVmas(ListVmasRequest request, ServerCallContext context) =>
        Task.FromResult(script.ListVmas(request));
}

internal sealed class ScriptedControl(AgentScript script) : ControlService.ControlServiceBase
{
    public override Task<StopResponse> Stop(StopRequest request, ServerCallContext context) => Task.FromResult(script.Stop(request));

    public override Task<KeepAliveResponse> KeepAlive(KeepAliveRequest request, ServerCallContext context) =>
        Task.FromResult(script.KeepAlive(request));

    public override Task<ResumeResponse> Resume(ResumeRequest request, ServerCallContext context) => Task.FromResult(script.Resume(request));

    public override async Task GetRegisters(
        GetRegistersRequest request, IServerStreamWriter<GetRegistersResponse> responseStream, ServerCallContext context)
    {
        foreach (GetRegistersResponse answer in script.GetRegisters(request))
        {
            await responseStream.WriteAsync(answer);
        }
    }

    public override async Task ReadMemory(
        ReadMemoryRequest request, IServerStreamWriter<ReadMemoryResponse> responseStream, ServerCallContext context)
    {
        foreach (ReadMemoryResponse answer in script.ReadMemory(request))
        {
            await responseStream.WriteAsync(answer);
        }
    }
}

internal sealed class ScriptedSnapshots(AgentScript script) : SnapshotService.SnapshotServiceBase
{
    public override Task<PlanResponse> Plan(PlanRequest request, ServerCallContext context) => Task.FromResult(script.Plan(request));

    public override Task Capture(CaptureRequest request, IServerStreamWriter<CaptureResponse> responseStream, ServerCallContext context) =>
        script.Capture(request, responseStream, context);
}
