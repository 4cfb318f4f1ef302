namespace Corelift.Elf;

/// <summary>
/// A core, or what is to become one, breaks the format: the file is damaged or hostile, or a snapshot or a chunk
/// cannot be put into a core. Never a failure of the disk or of the stream: that stays an <see cref="IOException"/>.
/// </summary>
public sealed class CoreFormatException : FormatException
{
    /// <summary>Without a message.</summary>
    public CoreFormatException()
    {
    }

    /// <summary>With what is wrong, and where.</summary>
    public CoreFormatException(string message)
        : base(message)
    {
    }

    /// <summary>With what is wrong, and the failure that showed it.</summary>
    public CoreFormatException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
