using System.Diagnostics;
using System.Net;
using Corelift.Agent.Health;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Corelift.Agent.Telemetry;

/// <summary>
/// The port for /metrics, /livez and /readyz. It serves HTTP/1.1 and these three paths alone: a connection of it never reaches
/// the agent's services, and a connection of another listener never these.
/// </summary>
internal static class MetricsListener
{
    private const string MetricsPath = "/metrics";

    /// <summary>Listens, where that was asked for.</summary>
    internal static void ListenForMetrics(this KestrelServerOptions kestrel, IPEndPoint? endPoint)
    {
        if (endPoint is not null)
        {
            kestrel.Listen(endPoint, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => connection =>
                {
                    connection.Features.Set(MetricsConnection.Instance);
                    return next(connection);
                });
            });
        }
    }

    /// <summary>Parts the connections of that port from the others; before everything else.</summary>
    internal static void UseMetricsPort(this WebApplication app, IPEndPoint? endPoint)
    {
        if (endPoint is null)
        {
            return;
        }

        AgentReadiness readiness = app.Services.GetRequiredService<AgentReadiness>();
        app.UseWhen(IsOfMetricsPort, port =>
        {
            port.Use(PassUnrecordedAsync);
            port.UseOpenTelemetryPrometheusScrapingEndpoint(context => context.Request.Path == MetricsPath && IsRead(context));
            port.Run(context => AnswerAsync(context, readiness));
        });
    }

    private static bool IsOfMetricsPort(HttpContext context) => context.Features.Get<MetricsConnection>() is not null;

    private static bool IsRead(HttpContext context) => HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);

    /// <summary>A scrape every few seconds is nothing to look for in traces.</summary>
    private static Task PassUnrecordedAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<IHttpActivityFeature>() is { Activity: { } span })
        {
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
        }

        return next(context);
    }

    private static async Task AnswerAsync(HttpContext context, AgentReadiness readiness)
    {
        string path = context.Request.Path;
        if (!IsRead(context) || path is not ("/livez" or "/readyz"))
        {
            context.Response.StatusCode = IsRead(context) ? StatusCodes.Status404NotFound : StatusCodes.Status405MethodNotAllowed;
            return;
        }

        IReadOnlyList<string> reasons = path == "/readyz" ? await readiness.AskAsync(context.RequestAborted).ConfigureAwait(false) : [];
        context.Response.StatusCode = reasons.Count == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync((reasons.Count == 0 ? "ok" : string.Join('\n', reasons)) + "\n", context.RequestAborted).ConfigureAwait(false);
    }

    private sealed class MetricsConnection
    {
        internal static MetricsConnection Instance { get; } = new();
    }
}
