using Corelift.Agent.Health;
using Corelift.Agent.Hosting;
using Corelift.Agent.Services;
using Corelift.Agent.Telemetry;

namespace Corelift.Agent.Tests;

/// <summary>Where telemetry may go, and when it is off; what readiness is made of.</summary>
public sealed class TelemetryOptionsTests
{
    [Theory]
    [InlineData("127.0.0.1:4317")]
    [InlineData("ftp://127.0.0.1")]
    [InlineData("http://user:word@127.0.0.1:4317")]
    [InlineData("http://h:4317/?x=1")]
    [InlineData("nonsense")]
    public void An_address_that_is_no_collectors_is_refused(string text) => Assert.Throws<StartRefusedException>(() => TelemetryOptions.ParseEndpoint(text));

    [Theory]
    [InlineData("http://127.0.0.1")]
    [InlineData("http://localhost:9464")]
    [InlineData("https://127.0.0.1:9464")]
    [InlineData("127.0.0.1:9464")]
    [InlineData("http://127.0.0.1:0")]
    [InlineData("http://::1:9464")]
    [InlineData("http://127.0.0.1:99999")]
    public void Metrics_are_served_on_a_literal_address_and_port(string text) => Assert.Throws<StartRefusedException>(() => TelemetryOptions.ParseListen(text));

    [Fact]
    public void Addresses_that_are_meant_are_read()
    {
        Assert.Equal("127.0.0.1:9464", TelemetryOptions.ParseListen("http://127.0.0.1:9464/").ToString());
        Assert.Equal("[::]:9464", TelemetryOptions.ParseListen("http://[::]:9464").ToString());
        Assert.Equal(4317, TelemetryOptions.ParseEndpoint("http://otel.example:4317").Port);
    }

    [Fact]
    public void Without_an_address_nothing_is_exported_and_the_SDKs_own_switch_holds()
    {
        var endpoint = new Uri("http://127.0.0.1:4317");
        Dictionary<string, string?> disabled = new() { ["OTEL_SDK_DISABLED"] = "true" };
        Assert.False(new TelemetryOptions().Exports);
        Assert.True(new TelemetryOptions { OtlpEndpoint = endpoint }.Exports);
        Assert.False(new TelemetryOptions { OtlpEndpoint = endpoint, Variables = disabled }.Exports);
        Assert.True(new TelemetryOptions { Variables = new Dictionary<string, string?> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:4317" } }.Exports);
        Assert.False(new TelemetryOptions { Variables = new Dictionary<string, string?> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = " " } }.Exports);
    }

    [Fact]
    public async Task Readiness_names_every_reason_and_ends_with_the_gate()
    {
        using var gate = new ShutdownGate();
        var first = new Source();
        var readiness = new AgentReadiness(gate, [first, new Source()]);
        Assert.Empty(await readiness.AskAsync(CancellationToken.None));
        Assert.True(readiness.LastKnown);
        first.Reason = "the supervisor has gone: start it";
        Assert.Equal(["the supervisor has gone: start it"], await readiness.AskAsync(CancellationToken.None));
        Assert.False(readiness.LastKnown);
        first.Reason = null;
        Assert.Empty(await readiness.AskAsync(CancellationToken.None));
        gate.Close();
        Assert.False(readiness.LastKnown);
        Assert.Equal(["the agent is stopping"], await readiness.AskAsync(CancellationToken.None));
    }

    private sealed class Source : IReadinessSource
    {
        internal string? Reason { get; set; }

        public ValueTask<string?> WhyNotReadyAsync(CancellationToken cancellationToken) => ValueTask.FromResult(Reason);
    }
}
