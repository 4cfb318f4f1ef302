using System.Text.Json;

namespace Corelift.Packaging.Tests;

/// <summary>The bill of materials names what the programs are made of: what the committed lock files say.</summary>
public sealed class SbomTests
{
    private static readonly string[] s_programs = ["Corelift.Agent", "Corelift.Cli"];

    [Fact]
    public async Task Every_locked_package_is_in_it_with_its_version_and_digest()
    {
        using ScratchFolder folder = new();
        using JsonDocument document = JsonDocument.Parse(await MakeAsync(folder.File("a.json")));
        Dictionary<string, JsonElement> components = document.RootElement.GetProperty("components").EnumerateArray().ToDictionary(component => component.GetProperty("bom-ref").GetString()!);
        string[] locked = [.. s_programs.SelectMany(Locked).Distinct()];
        Assert.InRange(locked.Length, 15, 200);
        Assert.All(locked, package =>
        {
            JsonElement component = components[package];
            Assert.Equal(128, component.GetProperty("hashes")[0].GetProperty("content").GetString()!.Length);
            Assert.True(component.TryGetProperty("licenses", out _), $"{package} has no licence");
        });

        // What an analyzer or a compiler does stays behind; the runtime does not.
        Assert.Equal("excluded", components.Values.Single(component => component.GetProperty("name").GetString() == "Grpc.Tools").GetProperty("scope").GetString());
        Assert.Equal("required", components.Values.Single(component => component.GetProperty("name").GetString() == "Google.Protobuf").GetProperty("scope").GetString());
        Assert.Contains(components.Values, component => component.GetProperty("name").GetString()!.StartsWith("Microsoft.NETCore.App.Runtime.NativeAOT.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_reference_in_it_leads_somewhere()
    {
        using ScratchFolder folder = new();
        using JsonDocument document = JsonDocument.Parse(await MakeAsync(folder.File("a.json")));
        HashSet<string> known = [.. document.RootElement.GetProperty("components").EnumerateArray().Select(component => component.GetProperty("bom-ref").GetString()!)];
        known.Add(document.RootElement.GetProperty("metadata").GetProperty("component").GetProperty("bom-ref").GetString()!);
        foreach (JsonElement dependency in document.RootElement.GetProperty("dependencies").EnumerateArray())
        {
            Assert.Contains(dependency.GetProperty("ref").GetString()!, known);
            Assert.All(dependency.GetProperty("dependsOn").EnumerateArray(), on => Assert.Contains(on.GetString()!, known));
        }
    }

    [Fact]
    public async Task The_same_sources_give_the_same_bytes()
    {
        using ScratchFolder folder = new();
        Assert.Equal(await MakeAsync(folder.File("a.json")), await MakeAsync(folder.File("b.json")));
    }

    private static async Task<string> MakeAsync(string output)
    {
        Dictionary<string, string> quiet = new() { ["DOTNET_NOLOGO"] = "1", ["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1", ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0" };
        (await Command.RunAsync(
            "dotnet", ["run", Path.Combine(Artifacts.Root, "packaging/sbom.cs"), "--", "--root", Artifacts.Root, "--rid", "linux-x64", "--output", output], quiet)).Checked();
        return await File.ReadAllTextAsync(output);
    }

    private static IEnumerable<string> Locked(string project)
    {
        using JsonDocument locked = JsonDocument.Parse(File.ReadAllText(Path.Combine(Artifacts.Root, "src", project, "packages.lock.json")));
        return [.. from framework in locked.RootElement.GetProperty("dependencies").EnumerateObject()
                   from package in framework.Value.EnumerateObject()
                   where package.Value.GetProperty("type").GetString() != "Project"
                   select $"pkg:nuget/{package.Name}@{package.Value.GetProperty("resolved").GetString()}"];
    }
}
