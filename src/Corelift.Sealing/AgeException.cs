namespace Corelift.Sealing;

/// <summary>Why something could not be opened, or sealed.</summary>
public enum AgeFailure
{
    /// <summary>It is not of the format, or a key is none.</summary>
    Malformed,

    /// <summary>It was changed since it was sealed.</summary>
    Damaged,

    /// <summary>It ends before its end.</summary>
    Truncated,

    /// <summary>It is sealed to other keys.</summary>
    NoMatchingIdentity,
}

/// <summary>A sealed file, a recipient or an identity is not what it should be. The message says what.</summary>
public sealed class AgeException : Exception
{
    /// <summary>Without details.</summary>
    public AgeException()
        : this(AgeFailure.Malformed, "no age file")
    {
    }

    /// <summary>With a message.</summary>
    public AgeException(string message)
        : this(AgeFailure.Malformed, message)
    {
    }

    /// <summary>With a message and what caused it.</summary>
    public AgeException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>With the kind of failure.</summary>
    public AgeException(AgeFailure failure, string message)
        : base(message)
    {
        Failure = failure;
    }

    /// <summary>What kind of failure it was.</summary>
    public AgeFailure Failure { get; }

    internal static AgeException Malformed(string what) => new(AgeFailure.Malformed, $"this is no sound age file: {what}");

    internal static AgeException Truncated() => new(AgeFailure.Truncated, "the sealed file is cut off: it ends before its last chunk");
}
