using System.Globalization;

namespace Corelift.Agent.Access.Policy;

/// <summary>Something that is wrong with a policy file.</summary>
/// <param name="Line">Line, from 1.</param>
/// <param name="Message">What it is, and what to write instead.</param>
internal readonly record struct PolicyProblem(int Line, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"line {Line}: {Message}");
}

/// <summary>A policy file that cannot be used; nothing of it is.</summary>
internal sealed class PolicyException(IReadOnlyList<PolicyProblem> problems) : Exception(string.Join('\n', problems))
{
    /// <summary>All that was found, in order of the lines.</summary>
    internal IReadOnlyList<PolicyProblem> Problems { get; } = problems;
}
