using System.Text;
using Corelift.Agent.Access;
using Corelift.V1;

namespace Corelift.Agent.Services;

/// <summary>The filters of ListProcesses that are about pods: a namespace, in it a pod, in that a container.</summary>
internal sealed class PodFilter
{
    private const int MaxLabelBytes = 63; // a DNS label
    private const int MaxNameBytes = 253; // a DNS name

    private readonly ListProcessesRequest _request;
    private readonly IPodDirectory _pods;

    /// <summary>Reads the filters of a request.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: a filter that cannot be. FAILED_PRECONDITION: this agent knows no pods.</exception>
    internal PodFilter(ListProcessesRequest request, IPodDirectory pods)
    {
        (_request, _pods) = (request, pods);
        Verify("namespace", request.Namespace, MaxLabelBytes, needs: null);
        Verify("pod", request.Pod, MaxNameBytes, request.Namespace.Length == 0 ? "namespace" : null);
        Verify("container", request.Container, MaxLabelBytes, request.Pod.Length == 0 ? "pod" : null);
        if (IsSet && pods is NoPodDirectory)
        {
            throw RpcErrors.Make(ErrorReason.KubernetesOff, "this agent does not know the pods of its node");
        }
    }

    private bool IsSet => _request.Namespace.Length > 0;

    /// <summary>Adds the pod to the summary, and says whether it is one that is asked for.</summary>
    /// <exception cref="Grpc.Core.RpcException">UNAVAILABLE: it is not known whether; a list without it would be a lie.</exception>
    internal async ValueTask<bool> TakesAsync(ProcessSummary summary, CancellationToken cancellationToken)
    {
        if (!IsSet)
        {
            await summary.AddPodAsync(_pods, cancellationToken);
            return true;
        }

        try
        {
            if (await _pods.FindAsync(summary.ContainerId, cancellationToken) is not { } pod || !Takes(pod))
            {
                return false;
            }

            summary.Pod = pod.ToWire();
            return true;
        }
        catch (AccessUnavailableException failure)
        {
            throw RpcErrors.Make(ErrorReason.KubernetesUnavailable, $"of process {summary.Ref.Pid}: {failure.Message}");
        }
    }

    private static void Verify(string field, string value, int maxBytes, string? needs)
    {
        if (Encoding.UTF8.GetByteCount(value) > maxBytes)
        {
            throw RpcErrors.InvalidField(field, $"must not be longer than {maxBytes} bytes");
        }

        if (value.Length > 0 && needs is not null)
        {
            throw RpcErrors.InvalidField(field, $"needs {needs}, too");
        }
    }

    private bool Takes(PodIdentity pod) =>
        pod.Namespace == _request.Namespace
        && (_request.Pod.Length == 0 || pod.Name == _request.Pod)
        && (_request.Container.Length == 0 || pod.Container == _request.Container);
}
