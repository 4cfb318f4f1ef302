using System.Net;
using Corelift.Agent.Hosting;

namespace Corelift.Agent.Telemetry;

/// <summary>Where telemetry goes; by default nowhere.</summary>
internal sealed record TelemetryOptions
{
    /// <summary>Address of a collector, or null for what OTEL_EXPORTER_OTLP_ENDPOINT says.</summary>
    internal Uri? OtlpEndpoint { get; init; }

    /// <summary>"grpc" or "http", or null for what OTEL_EXPORTER_OTLP_PROTOCOL says, else gRPC.</summary>
    internal string? OtlpProtocol { get; init; }

    /// <summary>Where /metrics, /livez and /readyz are served, or null for nowhere.</summary>
    internal IPEndPoint? MetricsListen { get; init; }

    /// <summary>The environment's OTEL_ variables: the only ones that are read, and by the SDK alone.</summary>
    internal IReadOnlyDictionary<string, string?> Variables { get; init; } = new Dictionary<string, string?>();

    /// <summary>Whether anything is sent to a collector.</summary>
    internal bool Exports => (OtlpEndpoint is not null || IsSet("OTEL_EXPORTER_OTLP_ENDPOINT")) && !IsDisabled;

    private bool IsDisabled => Variables.GetValueOrDefault("OTEL_SDK_DISABLED") is { } text && bool.TryParse(text, out bool disabled) && disabled;

    /// <summary>The OTEL_ variables of this process.</summary>
    internal static Dictionary<string, string?> ReadVariables() => Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
        .Where(entry => ((string)entry.Key).StartsWith("OTEL_", StringComparison.Ordinal))
        .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value, StringComparer.Ordinal);

    /// <summary>Reads a collector's address.</summary>
    /// <exception cref="StartRefusedException">It is none.</exception>
    internal static Uri ParseEndpoint(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" && uri is { Query: "", Fragment: "", UserInfo: "" }
            ? uri
            : throw new StartRefusedException($"--otlp-endpoint '{AgentLog.Escape(text)}' is no address of a collector: use http://HOST:4317 (gRPC) or http://HOST:4318 with --otlp-protocol http");

    /// <summary>Reads where metrics are served. Any literal address: nothing but numbers can be had there.</summary>
    /// <exception cref="StartRefusedException">It is none.</exception>
    internal static IPEndPoint ParseListen(string text)
    {
        const string Scheme = "http://";
        string rest = text.StartsWith(Scheme, StringComparison.Ordinal) ? text[Scheme.Length..].TrimEnd('/') : string.Empty;
        return rest.Contains(':', StringComparison.Ordinal) && IPEndPoint.TryParse(rest, out IPEndPoint? endPoint) && endPoint.Port > 0
            ? endPoint
            : throw new StartRefusedException($"--metrics-listen '{AgentLog.Escape(text)}' is no address to serve metrics on: use http://127.0.0.1:9464, with a literal address and a port");
    }

    private bool IsSet(string name) => !string.IsNullOrWhiteSpace(Variables.GetValueOrDefault(name));
}
