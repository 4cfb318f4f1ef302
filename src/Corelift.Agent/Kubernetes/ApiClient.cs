using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// The four calls that the agent makes to the API server: review a token, review an access, list pods, watch pods. A client
/// of its own: the well-kept library adds some 18 MB of code to an ahead-of-time compiled program, for these four.
/// Every call throws <see cref="ApiException"/> where the server refuses, fails, or talks nonsense.
/// </summary>
internal sealed class ApiClient : IDisposable
{
    private const int MaxAnswerBytes = 1 << 20;
    private const int MaxPageBytes = 64 << 20;
    private const int MaxTokenBytes = 64 << 10;
    private const int PodsPerPage = 50;
    private const int MaxText = 300;

    private readonly ApiAddress _address;
    private readonly SocketsHttpHandler _transport;
    private readonly HttpClient _http;

    internal ApiClient(ApiAddress address)
    {
        _address = address;
        _transport = ApiTransport.Create(address);
        _http = new HttpClient(_transport, disposeHandler: false)
        {
            BaseAddress = address.Server,
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestVersion = address.Server.Scheme == "https" ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
    }

    /// <summary>Asks whose a token is.</summary>
    internal async Task<TokenReviewStatus> ReviewTokenAsync(string token, string audience, CancellationToken cancellationToken)
    {
        var review = new TokenReview("authentication.k8s.io/v1", "TokenReview", new TokenReviewSpec(token, [audience]), null);
        TokenReview answer = await PostAsync("/apis/authentication.k8s.io/v1/tokenreviews", review, ApiJson.Default.TokenReview, cancellationToken)
            .ConfigureAwait(false);
        return answer.Status ?? throw new ApiException("the API server answered a token review without a status");
    }

    /// <summary>Asks whether somebody may do something.</summary>
    internal async Task<SubjectAccessReviewStatus> ReviewAccessAsync(SubjectAccessReviewSpec access, CancellationToken cancellationToken)
    {
        var review = new SubjectAccessReview("authorization.k8s.io/v1", "SubjectAccessReview", access, null);
        SubjectAccessReview answer = await PostAsync("/apis/authorization.k8s.io/v1/subjectaccessreviews", review, ApiJson.Default.SubjectAccessReview, cancellationToken)
            .ConfigureAwait(false);
        return answer.Status ?? throw new ApiException("the API server answered an access review without a status");
    }

    /// <summary>Reads one page of the pods of a node.</summary>
    /// <param name="node">The node.</param>
    /// <param name="next">What the page before said under <c>continue</c>; null for the first page.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal async Task<PodList> ListPodsAsync(string node, string? next, CancellationToken cancellationToken)
    {
        string more = next is null ? string.Empty : "&continue=" + Uri.EscapeDataString(next);
        using HttpRequestMessage request = await NewRequestAsync(
            HttpMethod.Get, $"{PodsOf(node)}&limit={PodsPerPage.ToString(CultureInfo.InvariantCulture)}{more}", cancellationToken).ConfigureAwait(false);
        return await AskAsync(request, MaxPageBytes, ApiJson.Default.PodList, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Opens a watch of the pods of a node.</summary>
    /// <param name="node">The node.</param>
    /// <param name="resourceVersion">What was seen last.</param>
    /// <param name="lifetime">After which the server ends it.</param>
    /// <param name="cancellationToken">Gives up connecting.</param>
    /// <returns>The watch; dispose it.</returns>
    internal async Task<PodWatch> WatchPodsAsync(string node, string resourceVersion, TimeSpan lifetime, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = await NewRequestAsync(
            HttpMethod.Get,
            string.Create(
                CultureInfo.InvariantCulture,
                $"{PodsOf(node)}&watch=true&allowWatchBookmarks=true&timeoutSeconds={(long)lifetime.TotalSeconds}&resourceVersion={Uri.EscapeDataString(resourceVersion)}"),
            cancellationToken).ConfigureAwait(false);
        HttpResponseMessage? response = null;
        try
        {
            response = await SendAsync(request, MaxAnswerBytes, cancellationToken).ConfigureAwait(false);
            var watch = new PodWatch(response, await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false));
            response = null;
            return watch;
        }
        finally
        {
            response?.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _http.Dispose();
        _transport.Dispose();
    }

    private static string PodsOf(string node) => "/api/v1/pods?fieldSelector=" + Uri.EscapeDataString($"spec.nodeName={node}");

    private async Task<T> PostAsync<T>(string path, T body, JsonTypeInfo<T> shape, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = await NewRequestAsync(HttpMethod.Post, path, cancellationToken).ConfigureAwait(false);
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, shape));
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return await AskAsync(request, MaxAnswerBytes, shape, cancellationToken).ConfigureAwait(false);
    }

    private async Task<HttpRequestMessage> NewRequestAsync(HttpMethod method, string path, CancellationToken cancellationToken)
    {
        var request = new HttpRequestMessage(method, path) { Version = _http.DefaultRequestVersion, VersionPolicy = _http.DefaultVersionPolicy };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        if (_address.TokenFile is { } file)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", await ReadTokenAsync(file, cancellationToken).ConfigureAwait(false));
        }

        return request;
    }

    /// <summary>Kubernetes renews a pod's token every hour or so; it is read anew for each of the few requests.</summary>
    private static async Task<string> ReadTokenAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            string token = new FileInfo(file).Length <= MaxTokenBytes ? (await File.ReadAllTextAsync(file, cancellationToken).ConfigureAwait(false)).Trim() : string.Empty;
            return token.Length > 0 && token.All(letter => letter is > ' ' and < '\x7f')
                ? token
                : throw new ApiException($"'{file}' holds no token for the API server");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ApiException($"the token for the API server cannot be read: {failure.Message}", cause: failure);
        }
    }

    private async Task<T> AskAsync<T>(HttpRequestMessage request, int maxBytes, JsonTypeInfo<T> shape, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await SendAsync(request, maxBytes, cancellationToken).ConfigureAwait(false);
        try
        {
            await response.Content.LoadIntoBufferAsync(maxBytes, cancellationToken).ConfigureAwait(false);
            Stream body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            return await JsonSerializer.DeserializeAsync(body, shape, cancellationToken).ConfigureAwait(false)
                ?? throw new ApiException("the API server answered null");
        }
        catch (JsonException failure)
        {
            throw new ApiException($"the API server answered what is not of the Kubernetes API: {failure.Message}", cause: failure);
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException)
        {
            throw new ApiException($"the API server's answer broke off: {failure.Message}", cause: failure);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, int maxBytes, CancellationToken cancellationToken)
    {
        HttpResponseMessage? response = null;
        try
        {
            response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                throw await RefusalAsync(response, maxBytes, cancellationToken).ConfigureAwait(false);
            }

            HttpResponseMessage answer = response;
            response = null;
            return answer;
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException or AuthenticationException)
        {
            throw new ApiException($"the API server at {_address.Server.Authority} does not answer: {(failure.InnerException ?? failure).Message}", cause: failure);
        }
        finally
        {
            response?.Dispose();
        }
    }

    private static async Task<ApiException> RefusalAsync(HttpResponseMessage response, int maxBytes, CancellationToken cancellationToken)
    {
        string? message = null;
        try
        {
            await response.Content.LoadIntoBufferAsync(Math.Min(maxBytes, MaxAnswerBytes), cancellationToken).ConfigureAwait(false);
            byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            message = JsonSerializer.Deserialize(body, ApiJson.Default.ApiStatus)?.Message;
        }
        catch (Exception failure) when (failure is JsonException or HttpRequestException or IOException)
        {
            // What a proxy in between answers is no Status; the code says enough.
        }

        string text = message is null ? string.Empty : ": " + (message.Length > MaxText ? message[..MaxText] : message);
        return new ApiException($"the API server answered {(int)response.StatusCode} {response.StatusCode}{text}", response.StatusCode);
    }
}
