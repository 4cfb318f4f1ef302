using Corelift.Cli.Cluster;
using Corelift.Testing;
using Corelift.Testing.Cluster;

namespace Corelift.Cli.Tests.Cluster;

/// <summary>Which cluster is asked, and as whom: by the rules of kubectl.</summary>
public sealed class KubeconfigTests : IDisposable
{
    private readonly ScratchFolder _folder = new();
    private readonly Dictionary<string, string> _environment = [];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_first_of_several_files_counts_and_missing_ones_are_passed_over()
    {
        string first = Write("first", Text("current-context: two", Context("one", "east"), Cluster("east", "https://east:6443"), ""));
        string second = Write("second", Text("current-context: one", Context("two", "west", "ops"), Cluster("west", "https://west:6443"), Cluster("east", "https://impostor:6443")));
        _environment["KUBECONFIG"] = $"{_folder.File("none")}:{first}:{second}";

        Assert.Equal((new Uri("https://west:6443"), "ops"), Where(Load()));
        Assert.Equal((new Uri("https://east:6443"), "default"), Where(Load(context: "one")));
    }

    [Fact]
    public void A_file_that_is_named_wins_over_the_variable_and_that_over_the_home_folder()
    {
        Directory.CreateDirectory(_folder.File(".kube"));
        _environment["HOME"] = _folder.Path;
        Write(".kube/config", Simple("https://home:6443"));
        Assert.Equal("home", Load().Server.Host);
        _environment["KUBECONFIG"] = Write("variable", Simple("https://variable:6443"));
        Assert.Equal("variable", Load().Server.Host);
        Assert.Equal("named", Load(Write("named", Simple("https://named:6443"))).Server.Host);
    }

    [Fact]
    public void Paths_are_relative_to_the_file_and_a_token_file_is_read_each_time()
    {
        Directory.CreateDirectory(_folder.File("deep"));
        Write("deep/token", "one\n");
        ClusterAccess access = Load(Write("deep/config", Simple("https://here:6443", "tokenFile: token")));

        Assert.Equal("one", access.User.Token!());
        Write("deep/token", "two\n");
        Assert.Equal("two", access.User.Token());
    }

    [Fact]
    public void All_certificates_of_a_bundle_are_authorities()
    {
        using TestCa one = new("One"), two = new("Two");
        string data = Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(one.Pem + "\n" + two.Pem));
        ClusterAccess access = Load(Write("config", Simple("https://here:6443", cluster: $"certificate-authority-data: {data}, tls-server-name: other, proxy-url: 'http://proxy:3128'")));

        Assert.Equal(["CN=One", "CN=Two"], access.Authorities!.Select(certificate => certificate.Subject));
        Assert.Equal(("other", "proxy", false), (access.ServerName, access.Proxy!.Host, access.TakesAnyCertificate));
    }

    [Fact]
    public void A_client_certificate_comes_with_its_key_and_impersonation_as_headers()
    {
        using TestCa ca = new();
        TestCertificate client = ca.IssueClient("CN=jane");
        Write("jane.crt", client.Pem);
        Write("jane.key", client.Key);
        ClusterAccess access = Load(Write("config", Simple("https://here:6443", "client-certificate: jane.crt, client-key: jane.key, as: admin, as-groups: [ops]")));

        Assert.True(access.User.Certificate![0].HasPrivateKey);
        Assert.Equal([KeyValuePair.Create("Impersonate-User", "admin"), KeyValuePair.Create("Impersonate-Group", "ops")], access.User.Impersonation);
    }

    [Fact]
    public void A_program_makes_the_token_with_its_arguments_as_they_are_and_hears_of_the_cluster()
    {
        string program = Script("""
            test "$1" = "two words" && test "$COLOUR" = blue && case "$KUBERNETES_EXEC_INFO" in *'"server":"https://here:6443"'*) echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"made"}}';; esac
            """);
        string exec = $$"""exec: {apiVersion: client.authentication.k8s.io/v1, command: ./{{Path.GetFileName(program)}}, args: ["two words"], env: [{name: COLOUR, value: blue}], provideClusterInfo: true, interactiveMode: Never}""";

        Assert.Equal("made", Load(Write("config", Simple("https://here:6443", exec))).User.Token!());
    }

    [Theory]
    [InlineData("exit 7", "ended with 7; are you logged in?", 4)]
    [InlineData("echo nonsense", "is no ExecCredential", 2)]
    [InlineData("""echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"}'""", "is no ExecCredential of", 2)]
    [InlineData("""echo '[]'""", "is no ExecCredential", 2)]
    public void A_program_that_makes_nothing_is_named(string script, string said, int exitCode)
    {
        string exec = $$"""exec: {apiVersion: client.authentication.k8s.io/v1, command: {{Script(script)}}, interactiveMode: Never}""";

        ClusterException failure = Assert.Throws<ClusterException>(() => Load(Write("config", Simple("https://here:6443", exec))));

        Assert.Contains(said, failure.Message, StringComparison.Ordinal);
        Assert.Equal(exitCode, failure.ExitCode);
    }

    [Theory]
    [InlineData("", "has no current context: choose one with --context (it has none)")]
    [InlineData("current-context: a\ncontexts: [{name: b, context: {}}]", "has no context 'a'; did you mean 'b'? (it has b)")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {}}]", "names no cluster")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]", "names cluster 'c', which is not in the kubeconfig")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {}}]", "has no server")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'http://far:80'}}]", "it must be https")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: nowhere}}]", "is no URL: nowhere")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'https://x', certificate-authority-data: '%%'}}]", "cannot be read")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'https://x', certificate-authority-data: aGVsbG8=}}]", "holds no certificate")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://x'}}]\nusers: [{name: u, user: {auth-provider: {name: gcp}}}]", "which kubectl gave up in 1.26")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://x'}}]\nusers: [{name: u, user: {client-key-data: aGVsbG8=}}]", "a key without its certificate")]
    [InlineData("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: 'https://x'}}]\nusers: [{name: u, user: {as: x, as-groups: [a, b]}}]", "several as-groups")]
    [InlineData("- just\n- a list", "holds no mapping")]
    [InlineData("a: [", "is no kubeconfig: line")]
    public void What_is_wrong_with_a_file_is_said(string text, string said)
    {
        ClusterException failure = Assert.Throws<ClusterException>(() => Load(Write("config", text)));

        Assert.Contains(said, failure.Message, StringComparison.Ordinal);
        Assert.Equal(2, failure.ExitCode);
    }

    [Fact]
    public async Task Without_any_the_remedy_is_said_and_the_program_ends_with_2()
    {
        CliRun run = await CliRun.AloneAsync("snapshot", "pod/web-1");

        Assert.Equal((2, ""), (run.ExitCode, run.Output));
        Assert.Contains("name a kubeconfig with --kubeconfig or KUBECONFIG", run.Errors, StringComparison.Ordinal);
        Assert.Contains("cannot be read", Assert.Throws<ClusterException>(() => Load(_folder.File("none"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task In_a_pod_it_is_its_service_account()
    {
        await using ClusterStandIn cluster = await ClusterStandIn.StartAsync();
        File.Copy(cluster.TokenFile, _folder.File("token"));
        File.Copy(cluster.CaFile, _folder.File("ca.crt"));
        Write("namespace", "ops\n");
        _environment["KUBERNETES_SERVICE_HOST"] = "127.0.0.1";
        _environment["KUBERNETES_SERVICE_PORT"] = $"{new Uri(cluster.Url).Port}";
        ClusterAccess access = Load();
        Assert.Equal((true, "ops"), (access.IsInside, access.Namespace));

        using ClusterApi api = new(access);
        cluster.Pods.Put(new ClusterPod("ops", "here"));
        Assert.Equal("here", (await api.FindPodAsync("ops", "here", default))!.Name);
    }

    private static (Uri, string) Where(ClusterAccess access) => (new Uri(access.Server.GetLeftPart(UriPartial.Authority)), access.Namespace);

    private static string Simple(string server, string user = "token: x", string cluster = "") =>
        "current-context: only\n"
        + "contexts: [{name: only, context: {cluster: here, user: me}}]\n"
        + "clusters: [{name: here, cluster: {server: '" + server + "'" + (cluster.Length > 0 ? ", " + cluster : "") + "}}]\n"
        + "users: [{name: me, user: {" + user + "}}]\n";

    private static string Context(string name, string cluster, string? space = null) =>
        "{name: " + name + ", context: {cluster: " + cluster + (space is null ? "" : ", namespace: " + space) + "}}";

    private static string Cluster(string name, string server) => "{name: " + name + ", cluster: {server: '" + server + "'}}";

    private static string Text(string first, string context, string cluster, string more) =>
        $"{first}\ncontexts: [{context}]\nclusters: [{cluster}{(more.Length > 0 ? ", " + more : "")}]\n";

    private ClusterAccess Load(string? path = null, string? context = null) => Kubeconfig.Load(path, context, new CliConsole
    {
        Out = TextWriter.Null,
        Error = TextWriter.Null,
        OpenOut = () => Stream.Null,
        IsOutTerminal = false,
        IsErrorTerminal = false,
        Environment = name => _environment.GetValueOrDefault(name),
        AccountFolder = _folder.Path,
    });

    private string Script(string text)
    {
        string path = Write("login.sh", "#!/bin/sh\n" + text + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return path;
    }

    private string Write(string name, string text)
    {
        File.WriteAllText(_folder.File(name), text);
        return _folder.File(name);
    }
}
