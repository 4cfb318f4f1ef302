namespace Corelift.Cli.Cluster;

/// <summary>The cluster cannot be asked, refuses, or does not have what is asked for; the message says what to do.</summary>
internal sealed class ClusterException(string message, int exitCode, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>What the program ends with.</summary>
    public int ExitCode { get; } = exitCode;
}
