using k8s;
using k8s.Models;

namespace Corelift.Packaging.Tests;

/// <summary>The chart renders, for every setup, to objects that Kubernetes knows.</summary>
public sealed class ChartRendersTests
{
    private static readonly string[] s_kubernetes = ["1.28.0", "1.30.0", "1.33.0", "1.35.0"];

    // Kinds of others' APIs, which the client library has no types for.
    private static readonly Dictionary<string, Type> s_custom = new()
    {
        ["cert-manager.io/v1/Certificate"] = typeof(Dictionary<string, object>),
        ["monitoring.coreos.com/v1/ServiceMonitor"] = typeof(Dictionary<string, object>),
        ["monitoring.coreos.com/v1/PrometheusRule"] = typeof(Dictionary<string, object>),
    };

    public static TheoryData<string, string> SetupsAndVersions
    {
        get
        {
            var pairs = new TheoryData<string, string>();
            foreach (string setup in Helm.Setups)
            {
                foreach (string version in Helm.Versions)
                {
                    pairs.Add(setup, version);
                }
            }

            return pairs;
        }
    }

    public static TheoryData<string> Setups => [.. Helm.Setups];

    [Theory]
    [MemberData(nameof(SetupsAndVersions))]
    public async Task It_lints_without_a_warning(string setup, string version)
    {
        CommandResult result = await Helm.RunAsync(version, "lint", "--strict", Helm.Chart, "-f", Path.Combine(Helm.Chart, "ci", setup));
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        Assert.DoesNotContain("[WARNING]", result.Output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(SetupsAndVersions))]
    public async Task Every_object_is_one_that_Kubernetes_knows_without_a_field_that_it_does_not(string setup, string version)
    {
        foreach (string kubernetes in s_kubernetes)
        {
            string yaml = await Helm.RenderAsync(setup, version, kubernetes);
            Manifest[] manifests = Manifests.Parse(yaml);
            Assert.NotEmpty(manifests);
            foreach (Manifest manifest in manifests)
            {
                // Strict: an unknown field or a wrong type is an exception that names it.
                List<object> read = KubernetesYaml.LoadAllFromString(manifest.Text, s_custom, strict: true);
                Assert.Single(read);
                Assert.True(
                    s_custom.ContainsKey($"{manifest.Root.Text("apiVersion")}/{manifest.Kind}") || read[0] is IKubernetesObject<V1ObjectMeta>,
                    $"{manifest.Kind} was read as {read[0].GetType()}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Setups))]
    public async Task Helm_3_and_helm_4_render_the_same(string setup) =>
        Assert.Equal(await Helm.RenderAsync(setup, "v3"), await Helm.RenderAsync(setup, "v4"));

    [Theory]
    [MemberData(nameof(Setups))]
    public async Task Kubectl_reads_every_object_back(string setup)
    {
        using ScratchFolder folder = new();
        Manifest[] manifests = Manifests.Parse(await Helm.RenderAsync(setup));
        string path = folder.File("all.yaml");
        await File.WriteAllTextAsync(path, string.Join("\n---\n", manifests.Where(manifest => !IsCustom(manifest)).Select(manifest => manifest.Text)));
        CommandResult read = (await Helm.KubectlAsync("annotate", "--local", "-f", path, "read=back", "-o", "name")).Checked();
        Assert.Equal(manifests.Count(manifest => !IsCustom(manifest)), read.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Theory]
    [MemberData(nameof(Setups))]
    public async Task No_two_objects_have_one_name(string setup)
    {
        Manifest[] manifests = Manifests.Parse(await Helm.RenderAsync(setup));
        Assert.Equal(manifests.Length, manifests.Select(manifest => (manifest.Kind, manifest.Name)).Distinct().Count());
    }

    [Fact]
    public async Task A_field_that_Kubernetes_does_not_know_is_noticed()
    {
        string yaml = (await Helm.RenderAsync("default-values.yaml")).Replace("hostPID: true", "hostPIDs: true", StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => KubernetesYaml.LoadAllFromString(yaml, s_custom, strict: true));
    }

    [Theory]
    [MemberData(nameof(VersionsOfHelm))]
    public async Task It_packs(string version)
    {
        using ScratchFolder folder = new();
        (await Helm.RunAsync(version, "package", Helm.Chart, "-d", folder.Path)).Checked();
        string packed = Assert.Single(Directory.GetFiles(folder.Path, "corelift-*.tgz"));
        CommandResult rendered = (await Helm.RunAsync(version, "template", "rel", packed, "--set", "profiles.configMap=true")).Checked();
        Assert.Contains("SCMP_ACT_ERRNO", rendered.Output, StringComparison.Ordinal); // profiles travel with it
    }

    public static TheoryData<string> VersionsOfHelm => [.. Helm.Versions];

    private static bool IsCustom(Manifest manifest) => s_custom.ContainsKey($"{manifest.Root.Text("apiVersion")}/{manifest.Kind}");
}
