using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Security.Authentication;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Corelift.Cli.Cluster;

/// <summary>
/// The few calls that this program makes to an API server. Each throws <see cref="ClusterException"/> where the server refuses,
/// fails, or talks nonsense. A client of its own: the usual library is many times the size of this program, most of it for
/// objects that are not asked for.
/// </summary>
internal sealed class ClusterApi : IDisposable
{
    private const int LongestAnswerBytes = 64 << 20;
    private const int LongestText = 1000;
    private const int PodsPerPage = 500;
    private const string ForwardProtocol = "v4.channel.k8s.io";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly ClusterAccess _access;
    private readonly SocketsHttpHandler _transport;
    private readonly HttpMessageInvoker _invoker;

    internal ClusterApi(ClusterAccess access)
    {
        _access = access;
        _transport = ApiTransport.Create(access);
        _invoker = new HttpMessageInvoker(_transport, disposeHandler: false);
    }

    /// <summary>One pod; null where there is none of the name.</summary>
    internal async Task<Pod?> FindPodAsync(string space, string name, CancellationToken cancellation)
    {
        using HttpRequestMessage request = NewRequest(HttpMethod.Get, $"{PodsOf(space)}/{Uri.EscapeDataString(name)}");
        return await AskAsync(request, ApiJson.Default.Pod, isFound: true, cancellation);
    }

    /// <summary>Pods, of one namespace or (null) of all.</summary>
    internal async Task<List<Pod>> ListPodsAsync(string? space, string? labels, string? fields, CancellationToken cancellation)
    {
        List<Pod> pods = [];
        string? next = null;
        do
        {
            string query = Parameter("labelSelector", labels) + Parameter("fieldSelector", fields) + Parameter("continue", next);
            using HttpRequestMessage request = NewRequest(HttpMethod.Get, $"{PodsOf(space)}?limit={PodsPerPage}{query}");
            PodList? page = await AskAsync(request, ApiJson.Default.PodList, isFound: false, cancellation);
            int before = pods.Count;
            pods.AddRange((page?.Items ?? []).OfType<Pod>());
            next = page?.Metadata?.Continue is { Length: > 0 } more && pods.Count > before ? more : null;
        }
        while (next is not null);
        return pods;
    }

    /// <summary>Makes a token of a service account (TokenRequest).</summary>
    internal async Task<string> CreateTokenAsync(string space, string account, string audience, TimeSpan lifetime, CancellationToken cancellation)
    {
        TokenRequest wanted = new("authentication.k8s.io/v1", "TokenRequest", new TokenRequestSpec([audience], (long)lifetime.TotalSeconds), null);
        using HttpRequestMessage request = NewRequest(
            HttpMethod.Post, $"api/v1/namespaces/{Uri.EscapeDataString(space)}/serviceaccounts/{Uri.EscapeDataString(account)}/token");
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(wanted, ApiJson.Default.TokenRequest));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        TokenRequest answer = await AskAsync(request, ApiJson.Default.TokenRequest, isFound: true, cancellation)
            ?? throw new ClusterException($"there is no service account {space}/{account} to make a token of", ExitCode.TargetGone);
        return answer.Status?.Token is { } token && TokenText.IsToken(token)
            ? token
            : throw new ClusterException($"the API server made no token of service account {space}/{account}", ExitCode.Failure);
    }

    /// <summary>Opens a connection to a port of a pod (pods/portforward).</summary>
    internal async Task<Stream> ForwardAsync(string space, string pod, int port, CancellationToken cancellation)
    {
        UriBuilder address = new(new Uri(Root, $"{PodsOf(space)}/{Uri.EscapeDataString(pod)}/portforward?ports={port}"));
        address.Scheme = address.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs;
        ClientWebSocket? socket = new();
        try
        {
            socket.Options.AddSubProtocol(ForwardProtocol);
            socket.Options.CollectHttpResponseDetails = true;
            foreach ((string name, string value) in Headers())
            {
                socket.Options.SetRequestHeader(name, value);
            }

            await socket.ConnectAsync(address.Uri, _invoker, cancellation);
            PortForwardStream stream = new(socket, $"pod {space}/{pod}");
            socket = null; // the stream's now
            return stream;
        }
        catch (WebSocketException failure)
        {
            throw RefusedForward(socket!.HttpStatusCode, space, pod, failure);
        }
        finally
        {
            socket?.Dispose();
        }
    }

    public void Dispose()
    {
        _invoker.Dispose();
        _transport.Dispose();
    }

    private Uri Root => new(_access.Server.AbsoluteUri.TrimEnd('/') + "/");

    private static string PodsOf(string? space) => space is null ? "api/v1/pods" : $"api/v1/namespaces/{Uri.EscapeDataString(space)}/pods";

    private static string Parameter(string name, string? value) => value is null ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    private ClusterException RefusedForward(HttpStatusCode status, string space, string pod, WebSocketException failure) => status switch
    {
        HttpStatusCode.Unauthorized => Unknown(),
        HttpStatusCode.Forbidden => new ClusterException(
            $"you may not port-forward to pod {space}/{pod}: have a Role in namespace {space} with verbs get and create on pods/portforward bound to you",
            ExitCode.Refused, failure),
        HttpStatusCode.NotFound => new ClusterException($"pod {space}/{pod} has gone", ExitCode.TargetGone, failure),
        0 => new ClusterException($"{Silent}: {failure.GetBaseException().Message}", ExitCode.Unreachable, failure),
        _ => new ClusterException($"the API server refuses the port-forward to pod {space}/{pod} with {(int)status} {status}", ExitCode.Unreachable, failure),
    };

    private string Silent => $"the API server at {_access.Server.Authority} ({_access.Origin}) does not answer";

    private ClusterException Unknown() =>
        new($"the API server at {_access.Server.Authority} does not know who you are (401): log in again, or correct {_access.Origin}", ExitCode.Refused);

    private IEnumerable<(string Name, string Value)> Headers()
    {
        if (_access.User.Token?.Invoke() is { } token)
        {
            yield return ("Authorization", $"Bearer {token}");
        }

        if (_access.ServerName is { } name)
        {
            yield return ("Host", name); // which is also what the certificate is compared with
        }

        foreach ((string header, string value) in _access.User.Impersonation)
        {
            yield return (header, value);
        }
    }

    private HttpRequestMessage NewRequest(HttpMethod method, string path)
    {
        HttpRequestMessage request = new(method, new Uri(Root, path)) { Version = HttpVersion.Version11 };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        foreach ((string name, string value) in Headers())
        {
            _ = request.Headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    /// <param name="request">The request.</param>
    /// <param name="shape">What is expected.</param>
    /// <param name="isFound">Whether 404 is an answer, null.</param>
    /// <param name="cancellation">Gives up.</param>
    private async Task<T?> AskAsync<T>(HttpRequestMessage request, JsonTypeInfo<T> shape, bool isFound, CancellationToken cancellation)
        where T : class
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(s_patience);
        try
        {
            using HttpResponseMessage response = await _invoker.SendAsync(request, patience.Token);
            await response.Content.LoadIntoBufferAsync(LongestAnswerBytes, patience.Token);
            byte[] body = await response.Content.ReadAsByteArrayAsync(patience.Token);
            return isFound && response.StatusCode == HttpStatusCode.NotFound ? null
                : response.IsSuccessStatusCode ? JsonSerializer.Deserialize(body, shape)
                : throw Refused(response.StatusCode, body);
        }
        catch (JsonException failure)
        {
            throw new ClusterException(
                $"what answers at {_access.Server.Authority} ({_access.Origin}) is no Kubernetes API server: {failure.Message}", ExitCode.Unreachable, failure);
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or AuthenticationException)
        {
            throw new ClusterException($"{Silent}: {(failure.InnerException ?? failure).Message}", ExitCode.Unreachable, failure);
        }
        catch (OperationCanceledException failure) when (!cancellation.IsCancellationRequested)
        {
            throw new ClusterException($"{Silent} within {s_patience.TotalSeconds:F0} s", ExitCode.Unreachable, failure);
        }
    }

    private ClusterException Refused(HttpStatusCode status, byte[] body)
    {
        string? message = null;
        try
        {
            message = JsonSerializer.Deserialize(body, ApiJson.Default.ApiStatus)?.Message;
        }
        catch (JsonException)
        {
            // What a proxy in between answers is no Status; the code says enough.
        }

        string text = message is null ? "" : ": " + (message.Length > LongestText ? message[..LongestText] : message);
        return status switch
        {
            HttpStatusCode.Unauthorized => Unknown(),
            HttpStatusCode.Forbidden => new ClusterException($"the API server refuses (403){text}", ExitCode.Refused),
            _ => new ClusterException($"the API server at {_access.Server.Authority} answers {(int)status} {status}{text}", ExitCode.Unreachable),
        };
    }
}
