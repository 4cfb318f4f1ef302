using System.Net.Sockets;
using System.Security.Authentication;
using Google.Protobuf;
using Google.Rpc;
using Grpc.Core;
using RpcStatus = Google.Rpc.Status;

namespace Corelift.Client;

/// <summary>Turns what gRPC throws into <see cref="AgentException"/>s that say what to do.</summary>
internal static class AgentErrors
{
    private const int LongestMessage = 4096;
    private const int MostFacts = 64;

    /// <exception cref="OperationCanceledException">It was the caller who gave up.</exception>
    internal static AgentException Translate(RpcException failure, AgentAddress address, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException("the call was cancelled", failure, cancellation);
        }

        if (failure.StatusCode is StatusCode.Unavailable or StatusCode.Internal && FindConnectFailure(failure) is { } cause)
        {
            return new AgentUnreachableException(DescribeConnectFailure(cause, address), failure);
        }

        if (address.Uri.Scheme == Uri.UriSchemeHttps && IsCutOff(failure))
        {
            return new AgentUnreachableException(
                $"the agent at {address} ended the connection right after the TLS handshake. Most often it does not take the client "
                + "certificate (--cert, CORELIFT_CERT), or got none: it must come from a CA of the agent's --client-ca, be valid now, and "
                + "be for client authentication. The agent's log says why",
                failure);
        }

        if (failure.Status.Detail.StartsWith("Bad gRPC response", StringComparison.Ordinal)) // the words of Grpc.Net.Client
        {
            return new AgentUnreachableException($"what answers at {address} is no corelift-agent: {Cut(failure.Status.Detail)}", failure);
        }

        ErrorInfo? info = ReadInfo(failure);
        string message = Cut(failure.Status.Detail);
        if (message.Length == 0)
        {
            message = $"the agent at {address} answered {failure.StatusCode} without a word";
        }

        Dictionary<string, string> facts = [];
        foreach (KeyValuePair<string, string> fact in (info?.Metadata ?? []).Take(MostFacts))
        {
            facts[Cut(fact.Key)] = Cut(fact.Value);
        }

        return new AgentException(failure.StatusCode, Cut(info?.Reason ?? ""), message, failure) { Facts = facts };
    }

    /// <summary>Details are optional and not trusted: what cannot be parsed counts as absent.</summary>
    private static ErrorInfo? ReadInfo(RpcException failure)
    {
        try
        {
            RpcStatus? status = failure.GetRpcStatus();
            return status?.GetDetail<ErrorInfo>();
        }
        catch (Exception malformed) when (malformed is InvalidProtocolBufferException or ArgumentException or FormatException)
        {
            return null;
        }
    }

    private static Exception? FindConnectFailure(RpcException failure)
    {
        for (Exception? cause = failure.Status.DebugException; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case AuthenticationException:
                case SocketException or IOException when cause.Data.Contains(AgentChannel.ConnectMarker):
                case HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError }:
                    return cause is HttpRequestException ? cause.InnerException ?? cause : cause;
            }
        }

        return null;
    }

    /// <summary>
    /// Whether the connection ended before HTTP/2 began. With TLS 1.3 a client has finished its handshake before the server looks at
    /// its certificate, so that is all it hears.
    /// </summary>
    private static bool IsCutOff(RpcException failure)
    {
        for (Exception? cause = failure.Status.DebugException; cause is not null; cause = cause.InnerException)
        {
            if (cause is HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.ResponseEnded or HttpRequestError.SecureConnectionError }
                || (cause is IOException && cause.Message.Contains("HTTP/2 handshake", StringComparison.Ordinal))) // the words of SocketsHttpHandler
            {
                return true;
            }
        }

        return false;
    }

    private static string DescribeConnectFailure(Exception cause, AgentAddress address)
    {
        string nobody = $"no agent answers at {address}";
        if (cause is IOException && cause.Data.Contains(AgentChannel.ConnectMarker)) // the caller's own way
        {
            return $"{nobody}: {cause.Message}";
        }

        if (address.SocketPath is null)
        {
            return cause is AuthenticationException
                ? $"no TLS connection to the agent at {address}: {cause.Message}"
                : $"{nobody}: {cause.Message}; is corelift-agent running there, with --listen and this port?";
        }

        return (cause as SocketException)?.SocketErrorCode switch
        {
            SocketError.AddressNotAvailable => // what .NET makes of ENOENT
                $"{nobody}: is corelift-agent running? There is no such socket; "
                + "if the agent listens elsewhere, say where with --agent or CORELIFT_AGENT",
            SocketError.ConnectionRefused => $"{nobody}: is corelift-agent running? The socket is there, but nobody listens to it",
            SocketError.AccessDenied => $"the agent's socket {address.SocketPath} may not be entered: "
                + "you are not in the group that owns it (see 'ls -l', then 'usermod -aG GROUP USER' and log in again)",
            _ => $"{nobody}: is corelift-agent running? {cause.Message}",
        };
    }

    private static string Cut(string text) => text.Length <= LongestMessage ? text : text[..LongestMessage] + "...";
}
