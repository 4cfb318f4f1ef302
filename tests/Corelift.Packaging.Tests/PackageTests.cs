using System.Text.RegularExpressions;

namespace Corelift.Packaging.Tests;

/// <summary>The Debian packages: <c>.ci/package.sh</c> makes them, <c>.ci/package-test.sh</c> says what is looked at.</summary>
public sealed partial class PackageTests
{
    [Fact]
    public async Task The_packages_are_made_and_installed_and_what_they_install_works()
    {
        (await Command.RunAsync(Path.Combine(Artifacts.Root, ".ci/package.sh"), [], bound: TimeSpan.FromMinutes(6))).Checked();
        CommandResult result = await Command.RunAsync(Path.Combine(Artifacts.Root, ".ci/package-test.sh"), [], bound: TimeSpan.FromMinutes(4));
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        Match last = LastLine().Match(result.Output);
        Assert.True(last.Success && int.Parse(last.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture) >= 12, result.Output);
    }

    [GeneratedRegex(@"^package: (\d+) checks passed$", RegexOptions.Multiline)]
    private static partial Regex LastLine();
}
