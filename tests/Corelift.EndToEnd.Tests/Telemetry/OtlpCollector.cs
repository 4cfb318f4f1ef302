using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Corelift.EndToEnd.Tests.Telemetry;

/// <summary>A span as the collector got it.</summary>
internal sealed record OtlpSpan(
    string TraceId, string SpanId, string ParentId, string Name, int Kind, ulong Start, ulong End, Dictionary<string, string> Attributes,
    Dictionary<string, string> Resource, string Scope);

/// <summary>One point of a metric, the last one sent.</summary>
internal sealed record OtlpPoint(string Metric, string Unit, Dictionary<string, string> Attributes, double Value, ulong Count, double[] Bounds, ExemplarIds[] Exemplars);

/// <summary>Where an exemplar leads to.</summary>
internal sealed record ExemplarIds(string TraceId, string SpanId);

/// <summary>A log line.</summary>
internal sealed record OtlpLog(string Body, string Severity, string TraceId);

/// <summary>A collector that speaks OTLP over gRPC and over HTTP, and keeps all it gets; or one that takes connections and never answers.</summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _host;
    private readonly bool _hangs;
    private readonly ConcurrentQueue<(string Signal, byte[] Message)> _received = new();

    private OtlpCollector(bool hangs)
    {
        _hangs = hangs;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
        });
        _host = builder.Build();
        _host.Run(AnswerAsync);
    }

    /// <summary>Address for --otlp-protocol grpc.</summary>
    internal string GrpcAddress => Addresses[0];

    /// <summary>Address for --otlp-protocol http.</summary>
    internal string HttpAddress => Addresses[1];

    /// <summary>Number of requests.</summary>
    internal int Requests { get; private set; }

    internal IReadOnlyList<OtlpSpan> Spans => [.. Of("trace").SelectMany(message => message.Messages(1)).SelectMany(ReadSpans)];

    /// <summary>The last value of each metric and set of attributes.</summary>
    internal IReadOnlyList<OtlpPoint> Points =>
        [.. Of("metrics").SelectMany(message => message.Messages(1)).SelectMany(resource => resource.Messages(2)).SelectMany(scope => scope.Messages(2)).SelectMany(ReadPoints)
            .GroupBy(point => point.Metric + string.Join(',', point.Attributes.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}={pair.Value}")))
            .Select(group => group.Last() with { Exemplars = [.. group.SelectMany(point => point.Exemplars)] })];

    internal IReadOnlyList<OtlpLog> Logs =>
        [.. Of("logs").SelectMany(message => message.Messages(1)).SelectMany(resource => resource.Messages(2)).SelectMany(scope => scope.Messages(2))
            .Select(log => new OtlpLog(log.Messages(5).Select(WireFields.AnyValue).FirstOrDefault() ?? "", log.Text(3), log.Hex(9)))];

    private string[] Addresses => [.. _host.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];

    internal static async Task<OtlpCollector> StartAsync(bool hangs = false)
    {
        OtlpCollector collector = new(hangs);
        await collector._host.StartAsync();
        return collector;
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(new CancellationToken(canceled: true));
        await _host.DisposeAsync();
    }

    private IEnumerable<WireFields> Of(string signal) => _received.Where(request => request.Signal == signal).Select(request => new WireFields(request.Message));

    private async Task AnswerAsync(HttpContext context)
    {
        Requests++;
        if (_hangs)
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            return;
        }

        using MemoryStream body = new();
        await context.Request.Body.CopyToAsync(body);
        string path = context.Request.Path;
        string signal = path.Contains("trace", StringComparison.Ordinal) ? "trace" : path.Contains("metrics", StringComparison.Ordinal) ? "metrics" : "logs";
        bool isGrpc = path.EndsWith("/Export", StringComparison.Ordinal);
        _received.Enqueue((signal, isGrpc ? body.ToArray()[5..] : body.ToArray())); // gRPC: a byte for compression, four for the length
        context.Response.ContentType = isGrpc ? "application/grpc" : "application/x-protobuf";
        if (isGrpc)
        {
            await context.Response.Body.WriteAsync(new byte[5]);
            context.Response.AppendTrailer("grpc-status", "0");
        }
    }

    private static IEnumerable<OtlpSpan> ReadSpans(WireFields resource)
    {
        Dictionary<string, string> attributes = resource.Messages(1).Single().Attributes(1);
        return resource.Messages(2).SelectMany(scope => scope.Messages(2).Select(span => new OtlpSpan(
            span.Hex(1), span.Hex(2), span.Hex(4), span.Text(5), (int)span.Number(6), span.Number(7), span.Number(8), span.Attributes(9), attributes,
            scope.Messages(1).Single().Text(1))));
    }

    private static IEnumerable<OtlpPoint> ReadPoints(WireFields metric)
    {
        foreach (uint kind in (uint[])[5, 7])
        {
            foreach (WireFields point in metric.Messages(kind).SelectMany(data => data.Messages(1)))
            {
                double value = point.Has(4) ? point.Double(4) : (long)point.Number(6);
                yield return new OtlpPoint(metric.Text(1), metric.Text(3), point.Attributes(7), value, 0, [], Exemplars(point, 5));
            }
        }

        foreach (WireFields point in metric.Messages(9).SelectMany(data => data.Messages(1)))
        {
            yield return new OtlpPoint(metric.Text(1), metric.Text(3), point.Attributes(9), point.Double(5), point.Number(4), point.Doubles(7), Exemplars(point, 8));
        }
    }

    private static ExemplarIds[] Exemplars(WireFields point, uint field) =>
        [.. point.Messages(field).Select(exemplar => new ExemplarIds(exemplar.Hex(5), exemplar.Hex(4)))];
}

/// <summary>What a trace of the W3C form is made of.</summary>
internal static class TraceParent
{
    /// <summary>A new one, sampled.</summary>
    internal static (string Header, string TraceId, string SpanId) Create()
    {
        string trace = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));
        string span = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));
        return (string.Create(CultureInfo.InvariantCulture, $"00-{trace}-{span}-01"), trace, span);
    }
}
