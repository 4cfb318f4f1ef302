using System.Globalization;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Corelift.Testing.Cluster;

/// <summary>The paths of the stand-in.</summary>
internal sealed class ClusterRoutes(ClusterStandIn cluster, Action<(string Path, JsonObject? Body)> note)
{
    private static readonly TimeSpan s_bookmarks = TimeSpan.FromMilliseconds(200);

    internal static Task RefuseAsync(HttpContext context, int code, string reason, string message)
    {
        context.Response.StatusCode = code;
        return WriteAsync(context, new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = message,
            ["reason"] = reason,
            ["code"] = code,
        });
    }

    internal void Map(WebApplication host) => host.Run(async context =>
    {
        string path = context.Request.Path + context.Request.QueryString;
        JsonObject? body = context.Request.Method == "POST" && (context.Request.ContentLength ?? 1) > 0
            ? (await JsonNode.ParseAsync(context.Request.Body))?.AsObject()
            : null;
        note((path, (JsonObject?)body?.DeepClone()));
        string[] parts = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        await (parts switch
        {
            ["api", "v1", "pods"] when context.Request.Query["watch"] == "true" => WatchAsync(context),
            ["api", "v1", "pods"] => ListAsync(context, null),
            ["api", "v1", "namespaces", var space, "pods"] => ListAsync(context, space),
            ["api", "v1", "namespaces", var space, "pods", var name] => GetAsync(context, space, name),
            ["api", "v1", "namespaces", var space, "pods", var name, "portforward"] => ForwardAsync(context, $"{space}/{name}"),
            ["api", "v1", "namespaces", var space, "serviceaccounts", var name, "token"] when cluster.Missing.Contains($"{space}/{name}") =>
                RefuseAsync(context, 404, "NotFound", $"serviceaccounts \"{name}\" not found"),
            ["api", "v1", "namespaces", var space, "serviceaccounts", var name, "token"] => WriteAsync(context, ClusterReviews.NewToken(cluster.Tokens, space, name, body!)),
            ["apis", "authentication.k8s.io", "v1", "tokenreviews"] => WriteAsync(context, ClusterReviews.Token(cluster.Tokens, body!)),
            ["apis", "authorization.k8s.io", "v1", "subjectaccessreviews"] => WriteAsync(context, ClusterReviews.Access(cluster.Rights, body!)),
            _ => RefuseAsync(context, 404, "NotFound", "the server could not find the requested resource"),
        });
    });

    private static Task WriteAsync(HttpContext context, JsonObject answer)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(answer.ToJsonString() + "\n");
    }

    private Task GetAsync(HttpContext context, string space, string name) => cluster.Pods.Find(space, name) is { } pod
        ? WriteAsync(context, pod)
        : RefuseAsync(context, 404, "NotFound", $"pods \"{name}\" not found");

    private Task ListAsync(HttpContext context, string? space)
    {
        (List<JsonObject> pods, string version) = cluster.Pods.List(space, context.Request.Query["fieldSelector"], context.Request.Query["labelSelector"]);
        int skip = int.TryParse(context.Request.Query["continue"], CultureInfo.InvariantCulture, out int next) ? next : 0;
        int limit = int.TryParse(context.Request.Query["limit"], CultureInfo.InvariantCulture, out int most) && most > 0 ? most : int.MaxValue;
        JsonObject meta = new() { ["resourceVersion"] = version };
        if (pods.Count - skip > limit)
        {
            meta["continue"] = (skip + limit).ToString(CultureInfo.InvariantCulture);
        }

        return WriteAsync(context, new JsonObject
        {
            ["kind"] = "PodList",
            ["apiVersion"] = "v1",
            ["metadata"] = meta,
            ["items"] = new JsonArray([.. pods.Skip(skip).Take(limit)]),
        });
    }

    private async Task WatchAsync(HttpContext context)
    {
        long version = long.Parse(context.Request.Query["resourceVersion"]!, CultureInfo.InvariantCulture);
        string? fields = context.Request.Query["fieldSelector"];
        TimeSpan lifetime = TimeSpan.FromSeconds(long.Parse(context.Request.Query["timeoutSeconds"]!, CultureInfo.InvariantCulture));
        long ends = Environment.TickCount64 + (long)lifetime.TotalMilliseconds;
        if (cluster.Pods.After(version, fields) is null && !cluster.TellsGoneInStream)
        {
            await RefuseAsync(context, 410, "Expired", "The resourceVersion for the provided watch is too old.");
            return;
        }

        context.Response.ContentType = "application/json";
        await context.Response.Body.FlushAsync();
        while (Environment.TickCount64 < ends)
        {
            if (cluster.Pods.After(version, fields) is not { } found)
            {
                await LineAsync(context, "ERROR", new JsonObject { ["kind"] = "Status", ["metadata"] = new JsonObject(), ["status"] = "Failure", ["message"] = "too old resource version", ["code"] = 410 });
                return;
            }

            foreach ((long at, string type, JsonObject pod) in found.Changes)
            {
                await LineAsync(context, type, pod);
                version = at;
            }

            if (await Task.WhenAny(found.Next, Task.Delay(s_bookmarks, context.RequestAborted)) != found.Next)
            {
                context.RequestAborted.ThrowIfCancellationRequested();
                await LineAsync(context, "BOOKMARK", new JsonObject { ["kind"] = "Pod", ["metadata"] = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) }, ["spec"] = new JsonObject { ["containers"] = null } });
            }
        }
    }

    private static async Task LineAsync(HttpContext context, string type, JsonObject subject)
    {
        await context.Response.WriteAsync(new JsonObject { ["type"] = type, ["object"] = subject }.ToJsonString() + "\n", context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    /// <summary>Port-forward in its older form over WebSocket: channel 0 data, channel 1 errors, each begins with the port.</summary>
    private async Task ForwardAsync(HttpContext context, string pod)
    {
        if (!context.WebSockets.IsWebSocketRequest || !context.WebSockets.WebSocketRequestedProtocols.Contains("v4.channel.k8s.io"))
        {
            await RefuseAsync(context, 400, "BadRequest", "Upgrade request required");
            return;
        }

        using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync("v4.channel.k8s.io");
        ushort port = ushort.Parse(context.Request.Query["ports"]!, CultureInfo.InvariantCulture);
        foreach (byte channel in (byte[])[0, 1])
        {
            await SendAsync(socket, new byte[] { channel, unchecked((byte)port), unchecked((byte)(port >> 8)) });
        }

        using TcpClient target = new();
        try
        {
            await target.ConnectAsync("127.0.0.1", cluster.Forwards[pod]);
        }
        catch (SocketException)
        {
            await SendAsync(socket, (byte[])[1, .. "connection refused"u8]);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
            return;
        }

        NetworkStream stream = target.GetStream();
        await Task.WhenAny(ToClientAsync(stream, socket), ToTargetAsync(socket, stream));
    }

    private static async Task ToClientAsync(NetworkStream stream, WebSocket socket)
    {
        byte[] buffer = new byte[64 * 1024];
        while (await stream.ReadAsync(buffer.AsMemory(1)) is > 0 and int length)
        {
            await SendAsync(socket, buffer.AsMemory(0, length + 1)); // its first byte, 0, is the channel
        }
    }

    private static async Task ToTargetAsync(WebSocket socket, NetworkStream stream)
    {
        byte[] buffer = new byte[64 * 1024];
        bool begins = true;
        while (await socket.ReceiveAsync(buffer.AsMemory(), CancellationToken.None) is { MessageType: not WebSocketMessageType.Close } part)
        {
            await stream.WriteAsync(buffer.AsMemory(begins ? 1 : 0, part.Count - (begins ? 1 : 0)));
            begins = part.EndOfMessage;
        }
    }

    private static ValueTask SendAsync(WebSocket socket, ReadOnlyMemory<byte> message) =>
        socket.SendAsync(message, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
}
