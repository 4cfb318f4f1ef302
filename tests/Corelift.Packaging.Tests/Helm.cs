namespace Corelift.Packaging.Tests;

/// <summary>The real helm and kubectl, as <c>.ci/helm</c> has them, on the chart of this repository.</summary>
internal static class Helm
{
    /// <summary>The chart's folder.</summary>
    internal static string Chart { get; } = Path.Combine(Artifacts.Root, "helm/corelift");

    /// <summary>Both versions that are supported.</summary>
    internal static string[] Versions { get; } = ["v4", "v3"];

    /// <summary>Values of the setups in ci/.</summary>
    internal static string[] Setups { get; } = [.. Directory.EnumerateFiles(Path.Combine(Chart, "ci"), "*-values.yaml").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    /// <summary>Runs helm.</summary>
    internal static Task<CommandResult> RunAsync(string version, params string[] arguments) => Command.RunAsync(Tool(version, "helm"), arguments);

    /// <summary>Runs kubectl, with no cluster that it could ask.</summary>
    internal static Task<CommandResult> KubectlAsync(params string[] arguments) =>
        Command.RunAsync(Tool("v4", "kubectl"), arguments, new Dictionary<string, string> { ["KUBECONFIG"] = "/dev/null" });

    /// <summary>The chart rendered with the values of a setup.</summary>
    internal static async Task<string> RenderAsync(string setup, string version = "v4", string kubernetes = "1.33.0", params string[] more) =>
        (await RunAsync(version, ["template", "rel", Chart, "-f", Path.Combine(Chart, "ci", setup), "--namespace", "corelift", "--kube-version", kubernetes, .. more])).Checked().Output;

    /// <summary>The chart rendered with some values set.</summary>
    internal static Task<CommandResult> TrySetAsync(params string[] values) =>
        RunAsync("v4", ["template", "rel", Chart, .. values.SelectMany(value => (string[])["--set", value])]);

    private static string Tool(string version, string name)
    {
        string path = Path.Combine(Artifacts.Root, "artifacts/helm", version, name, name);
        return File.Exists(path) ? path : throw new TestingException($"{path} is missing; './run test Packaging' fetches it");
    }
}
