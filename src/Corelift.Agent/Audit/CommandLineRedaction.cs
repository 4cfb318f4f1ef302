using System.Text.RegularExpressions;

namespace Corelift.Agent.Audit;

/// <summary>Takes out of command lines what looks like a secret. A guess by names: a secret that is named like none stays.</summary>
internal sealed partial class CommandLineRedaction
{
    private const string Removed = "***";
    private const int MostArguments = 64;
    private const int MostLetters = 256;
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(50);

    private readonly Regex[] _patterns;

    /// <summary>With patterns beside the usual ones: what one matches is taken out.</summary>
    internal CommandLineRedaction(IEnumerable<string> patterns) =>
        _patterns = [.. patterns.Select(pattern => new Regex(pattern, RegexOptions.CultureInvariant, s_patience))];

    /// <summary>The arguments without what looks like a secret; at most 64 of 256 letters each.</summary>
    internal IReadOnlyList<string> Redact(IReadOnlyList<string> arguments)
    {
        var result = new List<string>();
        bool isValue = false;
        foreach (string argument in arguments.Take(MostArguments))
        {
            result.Add(isValue && !argument.StartsWith('-') ? Removed : Shorten(Redact(argument)));
            isValue = SecretOption().IsMatch(argument);
        }

        if (arguments.Count > MostArguments)
        {
            result.Add("...");
        }

        return result;
    }

    private string Redact(string argument)
    {
        argument = argument.Length > 4 * MostLetters ? argument[..(4 * MostLetters)] : argument;
        argument = NamedValue().Replace(argument, "$1" + Removed);
        argument = UrlPassword().Replace(argument, "$1" + Removed + "@");
        foreach (Regex pattern in _patterns)
        {
            try
            {
                argument = pattern.Replace(argument, Removed);
            }
            catch (RegexMatchTimeoutException)
            {
                return Removed; // what cannot be looked at is not shown
            }
        }

        return argument;
    }

    private static string Shorten(string argument) => argument.Length > MostLetters ? argument[..MostLetters] + "..." : argument;

    /// <summary>An option whose value is the next argument.</summary>
    [GeneratedRegex("^--?[a-z0-9_.-]*(passw|pwd|passphrase|secret|token|api[-_]?key|private[-_]?key|access[-_]?key|credential|auth)[a-z0-9_.-]*$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex SecretOption();

    /// <summary>NAME=VALUE and NAME: VALUE, anywhere in an argument.</summary>
    [GeneratedRegex(
        "((?:(?:passw|pwd|passphrase|secret|token|api[-_]?key|private[-_]?key|access[-_]?key|credential)[a-z0-9_.-]*|auth(?:orization|entication)?|bearer)"
        + "[\"']?\\s*(?:[=:]|\\s)\\s*[\"']?)(?:(?:bearer|basic)\\s+)?[^\\s\"'&;,]+",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex NamedValue();

    /// <summary>SCHEME://USER:PASSWORD@</summary>
    [GeneratedRegex("([a-z][a-z0-9+.-]*://[^:/@\\s]*:)[^@/\\s]+@", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex UrlPassword();
}
