using System.Globalization;
using Corelift.V1;

namespace Corelift.Cli.Input;

/// <summary>Names for cores where the user gives none.</summary>
internal static class CoreNames
{
    /// <summary>"core.NAME.PID", with nothing in it that a shell or a terminal could misread: the target chose the name.</summary>
    internal static string Default(Process process)
    {
        ProcessSummary summary = process.Summary ?? new ProcessSummary();
        string name = string.Concat(summary.Name.Take(32).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '+' ? c : '_'));
        return string.Create(CultureInfo.InvariantCulture, $"core.{(name.Length == 0 ? "process" : name)}.{summary.Ref?.Pid ?? 0}");
    }
}
