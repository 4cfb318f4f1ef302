namespace Corelift.Cli;

/// <summary>The command line asks for something that cannot be; found out only after it was parsed.</summary>
internal sealed class UsageException(string message, int exitCode = ExitCode.Usage) : Exception(message)
{
    /// <summary>What the program ends with.</summary>
    public int ExitCode { get; } = exitCode;
}
