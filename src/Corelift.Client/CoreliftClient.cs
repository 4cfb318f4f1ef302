using System.Runtime.CompilerServices;
using Corelift.V1;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;

namespace Corelift.Client;

/// <summary>
/// A connection to one agent. Opened by the first call, kept open until disposed; may be used by several threads at once.
/// Every call throws <see cref="AgentException"/> where the agent refuses or fails, its subclass
/// <see cref="AgentUnreachableException"/> where none answers, and <see cref="OperationCanceledException"/> where the
/// caller cancels.
/// </summary>
public sealed partial class CoreliftClient : IAsyncDisposable
{
    private const string VersionHeader = "corelift-agent-version";

    private readonly GrpcChannel _channel;
    private readonly CallInvoker _invoker;
    private readonly ProcessService.ProcessServiceClient _processes;
    private readonly ControlService.ControlServiceClient _control;
    private readonly SnapshotService.SnapshotServiceClient _snapshots;
    private readonly string? _reason;
    private readonly string? _ringPath; // null where memory cannot be shared

    private CoreliftClient(AgentAddress address, GrpcChannel channel, CoreliftClientOptions options)
    {
        _reason = options.Reason;
        _ringPath = options.Open is null ? address.SocketPath : null;
        Address = address;
        _channel = channel;
        _invoker = channel.CreateCallInvoker().WithTraceOf(options).WithToken(address, options);
        _processes = new ProcessService.ProcessServiceClient(_invoker);
        _control = new ControlService.ControlServiceClient(_invoker);
        _snapshots = new SnapshotService.SnapshotServiceClient(_invoker);
    }

    /// <summary>The agent's address.</summary>
    public AgentAddress Address { get; }

    /// <summary>Prepares a connection. Nothing is sent before the first call, so this does not say whether an agent is there.</summary>
    public static CoreliftClient Connect(AgentAddress address, CoreliftClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        options ??= new CoreliftClientOptions();
        return new CoreliftClient(address, AgentChannel.Create(address, options), options);
    }

    /// <summary>Asks the agent's health service whether it serves.</summary>
    /// <returns>Whether it does, and its version where it tells (response header corelift-agent-version).</returns>
    public async Task<AgentHealth> CheckHealthAsync(CancellationToken cancellation = default)
    {
        try
        {
            Health.HealthClient health = new(_invoker);
            using AsyncUnaryCall<HealthCheckResponse> call =
                health.CheckAsync(new HealthCheckRequest(), cancellationToken: cancellation);
            Metadata headers = await call.ResponseHeadersAsync;
            HealthCheckResponse answer = await call.ResponseAsync;
            return new AgentHealth(
                answer.Status == HealthCheckResponse.Types.ServingStatus.Serving, headers.GetValue(VersionHeader));
        }
        catch (RpcException failure)
        {
            throw AgentErrors.Translate(failure, Address, cancellation);
        }
    }

    /// <summary>Lists processes in order of their pid, page by page as they are enumerated.</summary>
    /// <param name="filter">Filters as in the contract; null for all. Its page token is where the list begins.</param>
    /// <param name="cancellation">Ends the enumeration.</param>
    public async IAsyncEnumerable<ProcessSummary> ListProcessesAsync(
        ListProcessesRequest? filter = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ListProcessesRequest request = filter?.Clone() ?? new ListProcessesRequest();
        do
        {
            ListProcessesResponse page = await InvokeAsync(_processes.ListProcessesAsync(request, cancellationToken: cancellation), cancellation);
            foreach (ProcessSummary process in page.Processes)
            {
                yield return process;
            }

            VerifyProgress(page.NextPageToken, page.Processes.Count);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
    }

    /// <summary>Describes a process without stopping it. <see cref="AgentException"/> with NOT_FOUND where there is none.</summary>
    public async Task<Process> GetProcessAsync(ProcessRef target, CancellationToken cancellation = default)
    {
        GetProcessRequest request = new() { Ref = target };
        GetProcessResponse answer = await InvokeAsync(_processes.GetProcessAsync(request, cancellationToken: cancellation), cancellation);
        return answer.Process ?? throw Incomplete("a process");
    }

    /// <summary>Lists the tasks of a process in order of their tid, while they run.</summary>
    public async IAsyncEnumerable<V1.Thread> ListThreadsAsync(
        ProcessRef target, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ListThreadsRequest request = new() { Ref = target };
        do
        {
            ListThreadsResponse page = await InvokeAsync(_processes.ListThreadsAsync(request, cancellationToken: cancellation), cancellation);
            foreach (V1.Thread thread in page.Threads)
            {
                yield return thread;
            }

            VerifyProgress(page.NextPageToken, page.Threads.Count);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
    }

    /// <summary>Lists the VMAs of a process in order of their address.</summary>
    /// <param name="target">The process.</param>
    /// <param name="details">Whether to read smaps, too; costs the target's memory lock for a while.</param>
    /// <param name="cancellation">Ends the enumeration.</param>
    public async IAsyncEnumerable<Vma> ListVmasAsync(
        ProcessRef target, bool details = false, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ListVmasRequest request = new() { Ref = target, Details = details };
        do
        {
            ListVmasResponse page = await InvokeAsync(_processes.ListVmasAsync(request, cancellationToken: cancellation), cancellation);
            foreach (Vma vma in page.Vmas)
            {
                yield return vma;
            }

            VerifyProgress(page.NextPageToken, page.Vmas.Count);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
    }

    /// <summary>Closes the connection. Calls under way end as cancelled.</summary>
    public ValueTask DisposeAsync()
    {
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }

    private static AgentException Incomplete(string what) =>
        new(StatusCode.DataLoss, "", $"the agent's answer lacks {what}; it may be of another version");

    /// <summary>A page without entries that promises another could go on for ever.</summary>
    private static void VerifyProgress(string nextPageToken, int count)
    {
        if (nextPageToken.Length > 0 && count == 0)
        {
            throw Incomplete("entries, though it promises more of them");
        }
    }

    private async Task<T> InvokeAsync<T>(AsyncUnaryCall<T> call, CancellationToken cancellation)
    {
        using (call)
        {
            try
            {
                return await call.ResponseAsync;
            }
            catch (RpcException failure)
            {
                throw AgentErrors.Translate(failure, Address, cancellation);
            }
        }
    }

    private async IAsyncEnumerable<T> StreamAsync<T>(
        AsyncServerStreamingCall<T> call, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using (call)
        {
            while (true)
            {
                try
                {
                    if (!await call.ResponseStream.MoveNext(cancellation))
                    {
                        break;
                    }
                }
                catch (RpcException failure)
                {
                    throw AgentErrors.Translate(failure, Address, cancellation);
                }

                yield return call.ResponseStream.Current;
            }
        }
    }
}

/// <summary>What an agent's health service says.</summary>
/// <param name="IsServing">Whether it serves.</param>
/// <param name="Version">Its version, or null where it does not tell.</param>
public sealed record AgentHealth(bool IsServing, string? Version);
