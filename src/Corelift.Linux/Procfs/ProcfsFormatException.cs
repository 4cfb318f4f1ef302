namespace Corelift.Linux.Procfs;

/// <summary>Text of /proc is not what the kernel writes, was cut off, or is above a limit of <see cref="ProcfsLimits"/>.</summary>
public class ProcfsFormatException : FormatException
{
    /// <summary>Describes what is wrong.</summary>
    /// <param name="message">What was expected, without text from the target.</param>
    public ProcfsFormatException(string message)
        : base(message)
    {
    }
}

/// <summary>There is more than a limit of <see cref="ProcfsLimits"/> on a number of entries allows.</summary>
public sealed class ProcfsLimitException : ProcfsFormatException
{
    /// <summary>Describes the limit.</summary>
    /// <param name="message">Which one.</param>
    public ProcfsLimitException(string message)
        : base(message)
    {
    }
}
