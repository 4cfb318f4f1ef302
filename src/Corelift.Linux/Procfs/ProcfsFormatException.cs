namespace Corelift.Linux.Procfs;

/// <summary>Text of /proc is not what the kernel writes, was cut off, or is above a limit of <see cref="ProcfsLimits"/>.</summary>
public sealed class ProcfsFormatException : FormatException
{
    /// <summary>Describes what is wrong.</summary>
    /// <param name="message">What was expected, without text from the target.</param>
    public ProcfsFormatException(string message)
        : base(message)
    {
    }
}
