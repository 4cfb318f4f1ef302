using System.Text.RegularExpressions;

namespace Corelift.Packaging.Tests;

/// <summary>A test that takes minutes, and that is left out where somebody says why.</summary>
public sealed class ImageFactAttribute : FactAttribute
{
    /// <summary>Reads the reason.</summary>
    public ImageFactAttribute()
    {
        string? reason = Environment.GetEnvironmentVariable("CORELIFT_SKIP_IMAGE");
        if (!string.IsNullOrWhiteSpace(reason))
        {
            Skip = "CORELIFT_SKIP_IMAGE: " + reason;
        }
    }
}

/// <summary>The image, built by buildah and run by runc: <c>.ci/image.sh</c> says what is looked at.</summary>
public sealed partial class ImageTests
{
    [ImageFact]
    public async Task The_image_is_built_and_lifts_cores_beside_a_container_and_above_one()
    {
        CommandResult result = await Command.RunAsync(Path.Combine(Artifacts.Root, ".ci/image.sh"), [], bound: TimeSpan.FromMinutes(12));
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        Match last = LastLine().Match(result.Output);
        Assert.True(last.Success && int.Parse(last.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) >= 20, result.Output);
    }

    [GeneratedRegex(@"^image: (\d+) checks passed$", RegexOptions.Multiline)]
    private static partial Regex LastLine();
}
