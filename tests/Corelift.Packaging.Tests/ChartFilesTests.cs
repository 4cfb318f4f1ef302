using System.Text.Json;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Corelift.Packaging.Tests;

/// <summary>The files that the chart carries, and what is written about it.</summary>
public sealed partial class ChartFilesTests
{
    // What would let a process that was taken over leave its container, or do more to others than trace them.
    private static readonly string[] s_neverAllowed =
    [
        "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "bpf", "perf_event_open", "keyctl", "add_key", "init_module", "finit_module",
        "kexec_load", "open_by_handle_at", "reboot", "swapon", "ioperm", "iopl", "io_uring_setup", "personality", "setuid", "setgid", "mknod",
    ];

    [Fact]
    public void The_seccomp_profile_refuses_by_default_and_names_no_call_that_leads_out()
    {
        using JsonDocument profile = JsonDocument.Parse(File.ReadAllText(Path.Combine(Helm.Chart, "profiles/seccomp.json")));
        Assert.Equal("SCMP_ACT_ERRNO", profile.RootElement.GetProperty("defaultAction").GetString());
        List<string> allowed = [];
        foreach (JsonElement group in profile.RootElement.GetProperty("syscalls").EnumerateArray())
        {
            Assert.False(string.IsNullOrEmpty(group.GetProperty("comment").GetString()));
            if (group.GetProperty("action").GetString() == "SCMP_ACT_ALLOW")
            {
                allowed.AddRange(group.GetProperty("names").EnumerateArray().Select(name => name.GetString()!));
            }
        }

        Assert.Contains("ptrace", allowed);
        Assert.Empty(allowed.Intersect(s_neverAllowed));
        Assert.DoesNotContain("clone3", allowed); // its flags cannot be looked at
        Assert.Equal(allowed.Where(name => name != "socket").Count(), allowed.Where(name => name != "socket").Distinct().Count());
    }

    [Fact]
    public async Task The_AppArmor_profiles_parse()
    {
        CommandResult parsed = await Command.RunAsync("apparmor_parser", ["--skip-kernel-load", "--skip-cache", Path.Combine(Helm.Chart, "profiles/apparmor")]);
        Assert.True(parsed.ExitCode == 0, parsed.Errors);
    }

    [Fact]
    public async Task Dashboards_and_alerts_are_rendered_as_they_are()
    {
        Manifest[] manifests = Manifests.Parse(await Helm.RenderAsync("observed-values.yaml"));
        foreach (string path in FilesOf("dashboards", "*.json"))
        {
            string name = Path.GetFileName(path);
            Manifest map = manifests.Single(manifest => manifest.Kind == "ConfigMap" && manifest.Root.Find("data", name) is not null);
            using JsonDocument rendered = JsonDocument.Parse(map.Root.Text("data", name)!);
            using JsonDocument source = JsonDocument.Parse(File.ReadAllText(path));
            Assert.True(JsonElement.DeepEquals(source.RootElement, rendered.RootElement), $"{name} was changed by rendering");
        }

        string[] alerts = [.. FilesOf("alerts", "*.rules.yaml")];
        Assert.Equal(alerts.Length, manifests.Count(manifest => manifest.Kind == "PrometheusRule"));
        foreach (string path in alerts)
        {
            var source = new YamlStream();
            source.Load(new StringReader(File.ReadAllText(path)));
            int groups = ((YamlSequenceNode)source.Documents[0].RootNode.Find("groups")!).Children.Count;
            Assert.Contains(manifests, manifest => manifest.Kind == "PrometheusRule" && ((YamlSequenceNode)manifest.Root.Find("spec", "groups")!).Children.Count == groups);
        }
    }

    [Fact]
    public void The_chart_is_of_the_version_of_the_programs()
    {
        string version = VersionLine().Match(File.ReadAllText(Path.Combine(Artifacts.Root, "Directory.Build.props"))).Groups[1].Value;
        string chart = File.ReadAllText(Path.Combine(Helm.Chart, "Chart.yaml"));
        Assert.Contains($"appVersion: {version}\n", chart, StringComparison.Ordinal);
        Assert.Contains($"ARG VERSION={version}\n", File.ReadAllText(Path.Combine(Artifacts.Root, "Dockerfile")), StringComparison.Ordinal);
        Assert.Contains($"\"{version}\"", File.ReadAllText(Path.Combine(Helm.Chart, "templates/_sidecar.tpl")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_README_has_a_row_for_each_value_and_for_no_other()
    {
        var values = new YamlStream();
        values.Load(new StringReader(File.ReadAllText(Path.Combine(Helm.Chart, "values.yaml"))));
        string[] keys = [.. Leaves("", values.Documents[0].RootNode).Order(StringComparer.Ordinal)];
        string readme = File.ReadAllText(Path.Combine(Helm.Chart, "README.md"));
        string[] rows = [.. Row().Matches(readme[readme.IndexOf("## Values", StringComparison.Ordinal)..]).Select(row => row.Groups[1].Value).Order(StringComparer.Ordinal)];
        Assert.Equal(keys, rows);
    }

    [Fact]
    public void The_schema_refuses_unknown_keys_at_every_level_that_has_names()
    {
        using JsonDocument schema = JsonDocument.Parse(File.ReadAllText(Path.Combine(Helm.Chart, "values.schema.json")));
        int closed = 0;
        Walk(schema.RootElement, element =>
        {
            if (element.TryGetProperty("properties", out _))
            {
                Assert.Equal(JsonValueKind.False, element.GetProperty("additionalProperties").ValueKind);
                closed++;
            }
        });
        Assert.InRange(closed, 30, int.MaxValue);
    }

    private static void Walk(JsonElement element, Action<JsonElement> visit)
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            visit(element);
            foreach (JsonProperty property in element.EnumerateObject())
            {
                Walk(property.Value, visit);
            }
        }
    }

    // Maps that users fill with keys of their own are one value.
    private static IEnumerable<string> Leaves(string path, YamlNode node)
    {
        string[] whole = ["daemonSet.nodeSelector", "daemonSet.updateStrategy", "audit.volume", "dashboard.labels", "resources.supervisor", "resources.frontEnd"];
        return node is YamlMappingNode { Children.Count: > 0 } map && !whole.Contains(path)
            ? map.Children.SelectMany(pair => Leaves((path.Length == 0 ? "" : path + ".") + pair.Key, pair.Value))
            : [path];
    }

    private static string[] FilesOf(string folder, string pattern) =>
        Directory.Exists(Path.Combine(Helm.Chart, folder)) ? Directory.GetFiles(Path.Combine(Helm.Chart, folder), pattern) : [];

    [GeneratedRegex("<Version>(.*)</Version>")]
    private static partial Regex VersionLine();

    [GeneratedRegex(@"^\| `([\w.]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
