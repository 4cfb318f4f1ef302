namespace Corelift.Packaging.Tests;

/// <summary>Wrong values are refused, with words that name them.</summary>
public sealed class ChartRefusesTests
{
    [Theory]
    [InlineData("tls.sorce=secret", "sorce")]
    [InlineData("daemonset.enabled=true", "daemonset")]
    [InlineData("agent.maxcaptures=3", "maxcaptures")]
    [InlineData("resources.frontend.limits.memory=1Gi", "frontend")]
    [InlineData("tls.source=mtls", "/tls/source")]
    [InlineData("tls.port=seventy", "/tls/port")]
    [InlineData("tls.port=70000", "/tls/port")]
    [InlineData("agent.maxCaptures=0", "/agent/maxCaptures")]
    [InlineData("agent.maxStopBudget=2sec", "/agent/maxStopBudget")]
    [InlineData("agent.spoolBytes=lots", "/agent/spoolBytes")]
    [InlineData("agent.extraArgs={nice}", "/agent/extraArgs")]
    [InlineData("listenAddress=everywhere", "/listenAddress")]
    [InlineData("image.digest=sha256:abc", "/image/digest")]
    [InlineData("image.repository=corelift@sha256", "/image/repository")]
    [InlineData("frontEndUser=0", "/frontEndUser")]
    [InlineData("seccompProfile.type=Unconfined", "/seccompProfile/type")]
    [InlineData("appArmorProfile.supervisor.type=RuntimeDefault", "/appArmorProfile/supervisor/type")]
    [InlineData("telemetry.otlp.protocol=udp", "/telemetry/otlp/protocol")]
    [InlineData("telemetry.otlp.endpoint=collector:4317", "/telemetry/otlp/endpoint")]
    [InlineData("daemonSet.updateStrategy.type=Recreate", "/daemonSet/updateStrategy/type")]
    [InlineData("tls.source=secret", "tls.secret.name is missing")]
    [InlineData("tls.source=certManager", "tls.certManager.issuerRef.name is missing")]
    [InlineData("seccompProfile.type=Localhost", "seccompProfile.localhostProfile is missing")]
    [InlineData("appArmorProfile.frontEnd.type=Localhost", "localhostProfile is missing")]
    public async Task A_wrong_value_is_named(string value, string named)
    {
        CommandResult result = await Helm.TrySetAsync(value);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(named, result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_Kubernetes_that_is_too_old_is_refused()
    {
        CommandResult result = await Helm.RunAsync("v4", "template", "rel", Helm.Chart, "--kube-version", "1.27.0");
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("1.28.0", result.Errors, StringComparison.Ordinal);
    }
}
