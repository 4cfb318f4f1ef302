using YamlDotNet.RepresentationModel;

namespace Corelift.Packaging.Tests;

/// <summary>What the pods of the chart may do is the least that they need, and each part has its reason.</summary>
public sealed class ChartRightsTests
{
    private static readonly string[] s_workloads = ["DaemonSet", "Deployment"];

    public static TheoryData<string> Setups => [.. Helm.Setups];

    [Theory]
    [MemberData(nameof(Setups))]
    public async Task Two_capabilities_are_added_to_the_supervisor_and_none_to_anybody_else(string setup)
    {
        foreach ((string name, YamlMappingNode container) in await ContainersAsync(setup))
        {
            YamlNode security = container.Find("securityContext")!;
            Assert.Equal(["ALL"], security.Texts("capabilities", "drop"));
            Assert.Equal(name == "corelift-supervisor" ? ["SYS_PTRACE", "SYS_NICE"] : [], security.Texts("capabilities", "add"));
            Assert.Equal("false", security.Text("allowPrivilegeEscalation"));
            Assert.Equal("true", security.Text("readOnlyRootFilesystem"));
            Assert.NotEqual("true", security.Text("privileged") ?? "false");
            Assert.NotNull(security.Text("seccompProfile", "type"));
            Assert.Equal(name == "corelift-supervisor" ? "0" : security.Text("runAsUser"), security.Text("runAsUser"));
            Assert.Equal(name == "corelift-supervisor" ? "false" : "true", security.Text("runAsNonRoot"));
            Assert.NotNull(container.Find("resources", "limits", "memory"));
        }
    }

    [Theory]
    [MemberData(nameof(Setups))]
    public async Task Every_capability_has_its_reason_in_a_comment_right_before_it(string setup)
    {
        string[] lines = (await Helm.RenderAsync(setup)).Split('\n');
        int[] capabilities = [.. lines.Index().Where(line => line.Item.TrimStart().StartsWith("- SYS_", StringComparison.Ordinal)).Select(line => line.Index)];
        Assert.NotEmpty(capabilities);
        Assert.All(capabilities, at => Assert.StartsWith("#", lines[at - 1].TrimStart(), StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Setups))]
    public async Task Only_the_nodes_agent_sees_the_nodes_processes_and_nobody_its_network_or_files(string setup)
    {
        foreach (Manifest workload in Manifests.Parse(await Helm.RenderAsync(setup)).Where(manifest => s_workloads.Contains(manifest.Kind)))
        {
            bool ofNode = workload.Kind == "DaemonSet";
            Assert.Equal(ofNode ? "true" : null, workload.Pod.Text("hostPID"));
            Assert.Equal(ofNode ? null : "true", workload.Pod.Text("shareProcessNamespace"));
            Assert.NotEqual("true", workload.Pod.Text("hostNetwork") ?? "false");
            Assert.NotEqual("true", workload.Pod.Text("hostIPC") ?? "false");
            Assert.Equal("false", workload.Pod.Text("automountServiceAccountToken"));
            string[] ofHost = [.. ((YamlSequenceNode)workload.Pod.Find("volumes")!).Where(volume => volume.Find("hostPath") is not null).Select(volume => volume.Text("name")!)];
            Assert.Equal(setup is "spiffe-values.yaml" or "policy-values.yaml" ? ["corelift-audit"] : [], ofHost); // the one that this setup asks for
        }
    }

    [Fact]
    public async Task The_supervisor_has_no_port_and_neither_token_nor_key()
    {
        foreach (string setup in Helm.Setups)
        {
            YamlMappingNode supervisor = (await ContainersAsync(setup)).First(container => container.Name == "corelift-supervisor").Container;
            Assert.Null(supervisor.Find("ports"));
            Assert.Equal(["corelift-run"], ((YamlSequenceNode)supervisor.Find("volumeMounts")!).Select(mount => mount.Text("name")!));
        }
    }

    [Fact]
    public async Task The_agent_may_ask_the_API_server_exactly_three_things()
    {
        Manifest role = Manifests.Parse(await Helm.RenderAsync("default-values.yaml")).Single(manifest => manifest is { Kind: "ClusterRole", Name: "rel-corelift" });
        Assert.Equal(
            ["authentication.k8s.io tokenreviews create", "authorization.k8s.io subjectaccessreviews create", " pods list,watch"],
            Rules(role));
    }

    [Fact]
    public async Task Without_Kubernetes_it_may_ask_nothing_and_gets_no_token()
    {
        string yaml = (await Helm.TrySetAsync("kubernetes.enabled=false")).Checked().Output;
        Manifest[] manifests = Manifests.Parse(yaml);
        Assert.DoesNotContain(manifests, manifest => manifest.Kind is "ClusterRoleBinding" or "RoleBinding");
        Assert.DoesNotContain("serviceAccountToken", yaml, StringComparison.Ordinal);
        Assert.Contains("--kubernetes=off", yaml, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_roles_for_users_are_on_the_virtual_resource_alone()
    {
        Manifest[] roles = [.. Manifests.Parse(await Helm.RenderAsync("default-values.yaml")).Where(manifest => manifest.Kind == "ClusterRole" && manifest.Name != "rel-corelift")];
        Assert.Equal(
            [
                "corelift.dev processes inspect",
                "corelift.dev processes inspect,stop,snapshot",
                "corelift.dev processes,processes/full inspect,stop,snapshot",
                "corelift.dev processes,processes/full inspect,stop,snapshot,snapshot-secrets",
            ],
            roles.SelectMany(Rules));
    }

    [Theory]
    [InlineData("default-values.yaml", false)] // agents without TLS cannot be reached that way
    [InlineData("cert-manager-values.yaml", true)]
    public async Task Reaching_the_agents_is_a_role_of_their_namespace_that_gives_nothing_else(string setup, bool isThere)
    {
        Manifest[] roles = [.. Manifests.Parse(await Helm.RenderAsync(setup)).Where(manifest => manifest is { Kind: "Role", Name: "rel-corelift-connect" })];
        Assert.Equal(isThere ? [" pods get,list", " pods/portforward get,create"] : [], roles.SelectMany(Rules));
    }

    [Fact]
    public async Task The_network_policy_lets_in_nobody_who_is_not_named()
    {
        Manifest closed = Manifests.Parse((await Helm.TrySetAsync("networkPolicy.enabled=true")).Checked().Output).Single(manifest => manifest.Kind == "NetworkPolicy");
        Assert.Empty((YamlSequenceNode)closed.Root.Find("spec", "ingress")!);
        Manifest open = Manifests.Parse(await Helm.RenderAsync("cert-manager-values.yaml")).Single(manifest => manifest.Kind == "NetworkPolicy");
        Assert.Equal(2, ((YamlSequenceNode)open.Root.Find("spec", "ingress")!).Children.Count);
        Assert.All((YamlSequenceNode)open.Root.Find("spec", "ingress")!, rule => Assert.NotEmpty((YamlSequenceNode)rule.Find("from")!));
    }

    private static async Task<List<(string Name, YamlMappingNode Container)>> ContainersAsync(string setup) =>
        [.. Manifests.Parse(await Helm.RenderAsync(setup)).Where(manifest => s_workloads.Contains(manifest.Kind)).SelectMany(manifest => manifest.Containers).Select(pair => (pair.Key, pair.Value))];

    private static IEnumerable<string> Rules(Manifest role) => ((YamlSequenceNode)role.Root.Find("rules")!).Select(rule =>
        $"{string.Join(',', rule.Texts("apiGroups"))} {string.Join(',', rule.Texts("resources"))} {string.Join(',', rule.Texts("verbs"))}");
}
