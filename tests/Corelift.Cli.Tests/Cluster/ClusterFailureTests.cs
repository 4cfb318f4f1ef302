using Corelift.Testing.Cluster;

namespace Corelift.Cli.Tests.Cluster;

/// <summary>What is said, and what the program ends with, where a cluster does not have or give what is asked for.</summary>
public sealed class ClusterFailureTests : IAsyncLifetime
{
    private ClusterStandIn _cluster = null!;

    public async Task InitializeAsync() => _cluster = await ClusterStandIn.StartAsync();

    public async Task DisposeAsync() => await _cluster.DisposeAsync();

    [Theory]
    [InlineData("pod/web", "there is no pod 'web' in namespace shop of context 'test'; there are web-7d9f-a, web-7d9f-b", 5)]
    [InlineData("pod/wbe-7d9f-a", "did you mean 'web-7d9f-a'?", 5)]
    [InlineData("pod/elsewhere", "name another namespace with -n", 5)]
    [InlineData("pod/web-7d9f-a", "has several containers: say which, pod/web-7d9f-a/CONTAINER (app, proxy)", 2)]
    [InlineData("pod/web-7d9f-a/ap", "has no container 'ap'; did you mean 'app'?", 5)]
    [InlineData("pod/web-7d9f-a/database", "has no container 'database'; it has app, proxy", 5)]
    [InlineData("pod/web-7d9f-b", "container app of pod shop/web-7d9f-b does not run (CrashLoopBackOff)", 5)]
    [InlineData("pod/web-7d9f-a/app", "there is no agent on node node-1: none in namespace corelift with labels app.kubernetes.io/name=corelift.", 3)]
    [InlineData("pod/pending", "is on no node yet", 5)]
    [InlineData("pod/", "is no pod; write pod/NAME", 2)]
    [InlineData("pod/a//b", "is no pod; write pod/NAME", 2)]
    public async Task A_target_that_cannot_be_found_is_told_with_what_there_is(string target, string said, int exitCode)
    {
        _cluster.Pods.Put(new ClusterPod("shop", "web-7d9f-a", NewContainer("app"), NewContainer("proxy")));
        _cluster.Pods.Put(new ClusterPod("shop", "web-7d9f-b", NewContainer("app") with { WaitsFor = "CrashLoopBackOff" }));
        _cluster.Pods.Put(new ClusterPod("shop", "pending", NewContainer("app")) { Node = "" });

        await ExpectAsync(said, exitCode, "inspect", target);
    }

    [Fact]
    public async Task The_default_container_is_the_one_of_kubectl()
    {
        _cluster.Pods.Put(new ClusterPod("shop", "web-1", NewContainer("proxy"), NewContainer("app") with { WaitsFor = "ImagePullBackOff" })
        {
            Annotations = new() { ["kubectl.kubernetes.io/default-container"] = "app" },
        });

        await ExpectAsync("container app of pod shop/web-1 does not run (ImagePullBackOff)", 5, "snapshot", "pod/web-1");
    }

    [Fact]
    public async Task An_agent_that_cannot_be_called_is_told_with_the_reason()
    {
        _cluster.Pods.Put(new ClusterPod("shop", "web-1", NewContainer("app")));
        ClusterPod agent = ClusterPod.OfAgent("corelift-a", 7443);
        _cluster.Pods.Put(agent with { IsReady = false });
        await ExpectAsync("agent corelift/corelift-a on node node-1 is not ready (Running); 'kubectl -n corelift describe pod corelift-a'", 3, "inspect", "pod/web-1");

        _cluster.Pods.Put(ClusterPod.OfAgent("corelift-a", 0) with { Uid = agent.Uid });
        await ExpectAsync("serves no port 'grpc': give the chart a certificate", 3, "inspect", "pod/web-1");

        _cluster.Pods.Put(agent);
        _cluster.Pods.Put(ClusterPod.OfAgent("corelift-b", 7443));
        await ExpectAsync("node node-1 has several agents (corelift-a, corelift-b): choose by their labels with --agent-selector", 2, "inspect", "pod/web-1");
    }

    [Fact]
    public async Task A_pod_elsewhere_with_the_labels_of_an_agent_is_named_and_never_called()
    {
        _cluster.Pods.Put(new ClusterPod("shop", "web-1", NewContainer("app")));
        _cluster.Pods.Put(ClusterPod.OfAgent("corelift-a", 7443) with { Namespace = "evil" });

        await ExpectAsync("Pods with these labels are in evil: if that is where your agents are, name it with --agent-namespace", 3, "inspect", "pod/web-1", "--service-account", "oncall");
        Assert.Equal((0, 0), (_cluster.Count("/portforward"), _cluster.Count("/token")));
    }

    [Fact]
    public async Task An_agent_beside_the_container_is_shown_no_service_accounts_token()
    {
        _cluster.Pods.Put(new ClusterPod("shop", "web-1", NewContainer("app"), NewContainer("corelift-supervisor"), NewContainer("corelift") with { Port = 7443 }));

        await ExpectAsync("the agent in pod shop/web-1 asks no API server, and so takes no service account's token", 2, "inspect", "pod/web-1", "--service-account", "oncall");
        Assert.Equal(0, _cluster.Count("/token"));
    }

    [Theory]
    [InlineData(Trouble.Forbidden, "the API server refuses (403): pods is forbidden", 4)]
    [InlineData(Trouble.Garbage, "is no Kubernetes API server", 3)]
    [InlineData(Trouble.Overloaded, "answers 503 ServiceUnavailable: apiserver is shutting down", 3)]
    [InlineData(Trouble.Cut, "does not answer", 3)]
    public async Task A_server_in_trouble_is_told_from_a_refusal(Trouble trouble, string said, int exitCode)
    {
        _cluster.Set("/pods", trouble);

        await ExpectAsync(said, exitCode, "inspect", "pod/web-1");
        await ExpectAsync(said, exitCode, "ps", "-n", "shop");
    }

    [Fact]
    public async Task A_server_that_is_away_or_knows_nobody_is_told()
    {
        string stranger = _cluster.WriteKubeconfig("stranger", user: "token: not-one-of-mine");
        await ExpectAsync("does not know who you are (401): log in again, or correct context 'stranger'", 4, "inspect", "pod/web-1", "--kubeconfig", stranger);
        string usual = _cluster.WriteKubeconfig();
        await _cluster.DownAsync();

        await ExpectAsync("(context 'test') does not answer", 3, "inspect", "pod/web-1", "--kubeconfig", usual);
    }

    [Theory]
    [InlineData("a/b/c", "is no service account; write NAME or NAMESPACE/NAME", 2)]
    [InlineData("gone", "there is no service account shop/gone to make a token of", 5)]
    public async Task A_service_account_that_cannot_be_used_is_told(string account, string said, int exitCode)
    {
        _cluster.Pods.Put(new ClusterPod("shop", "web-1", NewContainer("app")));
        _cluster.Pods.Put(ClusterPod.OfAgent("corelift-a", 7443));
        _cluster.Missing.Add("shop/gone");

        await ExpectAsync(said, exitCode, "inspect", "pod/web-1", "--service-account", account);
    }

    [Fact]
    public async Task A_client_certificate_shows_who_one_is()
    {
        (string certificate, string key) = _cluster.IssueClientCertificate("jane");
        _ = (_cluster.WriteFile("jane.crt", certificate), _cluster.WriteFile("jane.key", key));
        string kubeconfig = _cluster.WriteKubeconfig("certificate", user: "{client-certificate: jane.crt, client-key: jane.key}");

        await ExpectAsync("there is no pod 'web-1'", 5, "inspect", "pod/web-1", "--kubeconfig", kubeconfig);
    }

    private static ClusterContainer NewContainer(string name) => new(name, ClusterContainer.NewId());

    private async Task ExpectAsync(string said, int exitCode, params string[] arguments)
    {
        string[] options = arguments.Contains("--kubeconfig") ? [] : ["--kubeconfig", _cluster.WriteKubeconfig()];
        CliRun run = await CliRun.AloneAsync([.. arguments, .. options]);

        Assert.Contains(said, run.Errors, StringComparison.Ordinal);
        Assert.Equal((exitCode, ""), (run.ExitCode, run.Output));
    }
}
