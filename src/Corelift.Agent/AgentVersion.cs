using System.Reflection;

namespace Corelift.Agent;

/// <summary>The version of this build.</summary>
internal static class AgentVersion
{
    /// <summary>Version as published, such as "0.1.0"; the commit behind a '+' is left out.</summary>
    internal static string Text { get; } =
        (typeof(AgentVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split('+')[0];
}
