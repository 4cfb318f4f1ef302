using Corelift.Agent.Hosting;
using Corelift.Agent.Kubernetes;

namespace Corelift.Agent.Tests.Kubernetes;

/// <summary>Where the agent finds an API server, and when it refuses to start for want of one.</summary>
public sealed class ApiAddressTests : IDisposable
{
    private readonly string _account = Directory.CreateTempSubdirectory("corelift-account-").FullName;
    private readonly Dictionary<string, string> _environment = [];

    public ApiAddressTests()
    {
        File.WriteAllText(Path.Combine(_account, "token"), "secret");
        File.WriteAllText(Path.Combine(_account, "ca.crt"), "pem");
    }

    [Fact]
    public void A_plain_host_has_none_and_off_is_off_in_a_pod_too()
    {
        Assert.Null(Find(new KubernetesOptions()));
        EnterPod("10.96.0.1");
        Assert.Null(Find(new KubernetesOptions { Mode = KubernetesMode.Off }));
    }

    [Fact]
    public void In_a_pod_all_comes_from_the_environment()
    {
        EnterPod("10.96.0.1");
        Assert.Equal(
            new ApiAddress(new Uri("https://10.96.0.1:443"), Path.Combine(_account, "token"), Path.Combine(_account, "ca.crt"), "node-7", "corelift-agent"),
            Find(new KubernetesOptions()));
        EnterPod("fd00::1");
        Assert.Equal("https://[fd00::1]/", Find(new KubernetesOptions())!.Server.ToString());
    }

    [Fact]
    public void A_pod_without_a_service_account_has_none()
    {
        EnterPod("10.96.0.1");
        File.Delete(Path.Combine(_account, "token"));
        Assert.Null(Find(new KubernetesOptions()));
    }

    [Fact]
    public void What_is_asked_for_and_cannot_be_is_refused_with_the_remedy()
    {
        Assert.Contains("--kubernetes-api", Refusal(new KubernetesOptions { Mode = KubernetesMode.On }), StringComparison.Ordinal);
        Assert.Contains("--kubernetes-api", Refusal(new KubernetesOptions { TokenFile = Path.Combine(_account, "token") }), StringComparison.Ordinal);
        Assert.Contains("--kubernetes-ca", Refusal(new KubernetesOptions { ApiServer = "https://api:6443", CaFile = "/nowhere" }), StringComparison.Ordinal);
        EnterPod("10.96.0.1");
        _environment.Remove("NODE_NAME");
        Assert.Contains("NODE_NAME", Refusal(new KubernetesOptions { Mode = KubernetesMode.On }), StringComparison.Ordinal);
        Assert.Empty(Find(new KubernetesOptions())!.NodeName);
    }

    [Theory]
    [InlineData("http://api.example")]
    [InlineData("api.example")]
    [InlineData("https://user@api.example")]
    [InlineData("https://api.example/path")]
    [InlineData("ftp://127.0.0.1")]
    public void A_server_is_https_or_on_this_host(string text) =>
        Assert.Contains("https://HOST:PORT", Refusal(new KubernetesOptions { ApiServer = text }), StringComparison.Ordinal);

    [Fact]
    public void Http_goes_on_loopback_alone() =>
        Assert.Equal("http://127.0.0.1:8001/", Find(new KubernetesOptions { ApiServer = "http://127.0.0.1:8001", NodeName = "n" })!.Server.ToString());

    public void Dispose() => Directory.Delete(_account, recursive: true);

    private void EnterPod(string host)
    {
        _environment["KUBERNETES_SERVICE_HOST"] = host;
        _environment["KUBERNETES_SERVICE_PORT"] = "443";
        _environment["NODE_NAME"] = "node-7";
    }

    private ApiAddress? Find(KubernetesOptions options) => ApiAddress.Find(options, name => _environment.GetValueOrDefault(name), _account);

    private string Refusal(KubernetesOptions options) => Assert.Throws<StartRefusedException>(() => Find(options)).Message;
}
