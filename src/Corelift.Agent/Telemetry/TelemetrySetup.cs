using Corelift.Agent.Health;
using Corelift.Capture;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Corelift.Agent.Telemetry;

/// <summary>Adds OpenTelemetry's SDK to the agent where somebody wants to see what it says; otherwise nothing at all.</summary>
internal static class TelemetrySetup
{
    /// <summary>Adds what the options ask for.</summary>
    internal static void AddTelemetry(this WebApplicationBuilder builder, TelemetryOptions options)
    {
        if (!options.Exports && options.MetricsListen is null)
        {
            return;
        }

        // The SDK reads its settings from the configuration, which holds nothing else.
        builder.Configuration.AddInMemoryCollection(options.Variables);

        // First in, last out: what happens while the agent stops is told, too.
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IHostedService, TelemetryLifetime>());
        OpenTelemetryBuilder telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(Describe)
            .WithMetrics(metrics => AddMetrics(metrics, options));
        if (options.Exports)
        {
            telemetry.WithTracing(traces => traces.AddSource("Microsoft.AspNetCore", CoreliftTraces.SourceName))
                .WithLogging(configureBuilder: null, configureOptions: logs => logs.IncludeFormattedMessage = true);
            AddExporter(telemetry, options);
        }
    }

    private static void AddMetrics(MeterProviderBuilder metrics, TelemetryOptions options)
    {
        metrics.AddMeter(CoreliftMetrics.MeterName).SetExemplarFilter(ExemplarFilterType.TraceBased);
        if (options.MetricsListen is not null)
        {
            metrics.AddPrometheusExporter();
        }
    }

    private static void AddExporter(IOpenTelemetryBuilder telemetry, TelemetryOptions options)
    {
        if (options.OtlpEndpoint is not null)
        {
            telemetry.UseOtlpExporter(options.OtlpProtocol == "http" ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc, options.OtlpEndpoint);
        }
        else
        {
            telemetry.UseOtlpExporter();
        }
    }

    /// <summary>Who speaks: service, host, and the pod where the environment names it. OTEL_RESOURCE_ATTRIBUTES has the last word.</summary>
    private static void Describe(ResourceBuilder resource)
    {
        List<KeyValuePair<string, object>> attributes =
        [
            new("host.name", Environment.MachineName),
            new("os.type", "linux"),
            new("process.pid", (long)Environment.ProcessId),
        ];
        foreach ((string variable, string attribute) in (ReadOnlySpan<(string, string)>)
            [
                ("NODE_NAME", "k8s.node.name"), ("POD_NAMESPACE", "k8s.namespace.name"), ("POD_NAME", "k8s.pod.name"), ("POD_UID", "k8s.pod.uid"),
            ])
        {
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 and <= 253 } value)
            {
                attributes.Add(new(attribute, value));
            }
        }

        resource.AddService("corelift-agent", serviceVersion: AgentVersion.Text, autoGenerateServiceInstanceId: true)
            .AddAttributes(attributes)
            .AddEnvironmentVariableDetector();
    }
}

/// <summary>Begins to observe when the agent starts, and at its end sends what is left, for a bounded time.</summary>
internal sealed class TelemetryLifetime(IServiceProvider services, AgentReadiness readiness) : IHostedLifecycleService
{
    private const int PatienceMilliseconds = 2000;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        CaptureEngine engine = services.GetRequiredService<CaptureEngine>();
        CoreliftMetrics.BeginToObserve(() => readiness.LastKnown, () => engine.LeaseCount);
        return Task.CompletedTask;
    }

    /// <summary>A collector that does not answer must not hold up the agent's end: all three are shut down at once.</summary>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.WhenAll(
        Task.Run(() => services.GetService<TracerProvider>()?.Shutdown(PatienceMilliseconds), CancellationToken.None),
        Task.Run(() => services.GetService<MeterProvider>()?.Shutdown(PatienceMilliseconds), CancellationToken.None),
        Task.Run(() => services.GetService<LoggerProvider>()?.Shutdown(PatienceMilliseconds), CancellationToken.None));

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
