using Grpc.Core;

namespace Corelift.Client;

/// <summary>An agent refused or failed a call, or did not answer. The message says what happened and what to do.</summary>
public class AgentException : Exception
{
    /// <summary>Without details.</summary>
    public AgentException()
        : this("the agent failed")
    {
    }

    /// <summary>With a message.</summary>
    public AgentException(string message)
        : base(message)
    {
        Status = StatusCode.Unknown;
    }

    /// <summary>With a message and what caused it.</summary>
    public AgentException(string message, Exception? innerException)
        : base(message, innerException)
    {
        Status = StatusCode.Unknown;
    }

    /// <summary>With all that is known.</summary>
    public AgentException(StatusCode status, string reason, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Status = status;
        Reason = reason;
    }

    /// <summary>The call's status code.</summary>
    public StatusCode Status { get; }

    /// <summary>Stable name of the cause (google.rpc.ErrorInfo.reason: "TARGET_TRACED" ...), or empty where the agent gave none.</summary>
    public string Reason { get; } = "";

    /// <summary>Facts that the agent gave with the reason ("tracer_pid" ...). Not trusted; may be empty.</summary>
    public IReadOnlyDictionary<string, string> Facts { get; init; } = new Dictionary<string, string>();
}

/// <summary>Nobody answers at the agent's address, or the connection to it is not permitted.</summary>
public sealed class AgentUnreachableException : AgentException
{
    /// <summary>Without details.</summary>
    public AgentUnreachableException()
        : base(StatusCode.Unavailable, "", "no agent answers")
    {
    }

    /// <summary>With a message.</summary>
    public AgentUnreachableException(string message)
        : base(StatusCode.Unavailable, "", message)
    {
    }

    /// <summary>With a message and what caused it.</summary>
    public AgentUnreachableException(string message, Exception? innerException)
        : base(StatusCode.Unavailable, "", message, innerException)
    {
    }
}
