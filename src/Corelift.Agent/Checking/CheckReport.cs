namespace Corelift.Agent.Checking;

/// <summary>What a check found.</summary>
internal enum CheckState
{
    /// <summary>As it should be.</summary>
    Ok,

    /// <summary>The agent works, but not all of it, or not as safely.</summary>
    Limited,

    /// <summary>The agent cannot work.</summary>
    Failed,
}

/// <summary>One line of the report.</summary>
/// <param name="Name">What was looked at.</param>
/// <param name="State">How it is.</param>
/// <param name="Found">What was found; one line, safe for a terminal.</param>
/// <param name="Remedy">What to do; empty where nothing is to be done.</param>
internal sealed record CheckLine(string Name, CheckState State, string Found, string Remedy)
{
    internal static CheckLine Ok(string name, string found) => new(name, CheckState.Ok, AgentLog.Escape(found), string.Empty);

    internal static CheckLine Limited(string name, string found, string remedy) => new(name, CheckState.Limited, AgentLog.Escape(found), remedy);

    internal static CheckLine Failed(string name, string found, string remedy) => new(name, CheckState.Failed, AgentLog.Escape(found), remedy);
}
