using Corelift.Client;
using Grpc.Core;

namespace Corelift.Cli;

/// <summary>Turns what went wrong into a line on stderr and an exit code.</summary>
internal static class Failures
{
    /// <summary>Runs a command; Ctrl-C cancels it.</summary>
    internal static async Task<int> GuardAsync(Func<CancellationToken, Task<int>> command, CancellationToken cancellation)
    {
        try
        {
            return await command(cancellation);
        }
        catch (UsageException failure)
        {
            return Say(failure.Message, ExitCodes.Usage);
        }
        catch (AgentUnreachableException failure)
        {
            return Say(failure.Message, ExitCodes.Unreachable);
        }
        catch (AgentException failure)
        {
            return Say(failure.Message, cancellation.IsCancellationRequested ? ExitCodes.Interrupted : ToExitCode(failure));
        }
        catch (SnapshotException failure)
        {
            return Say(failure.Message, failure.Failure == SnapshotFailure.Output ? ExitCodes.Failed : ExitCodes.Incomplete);
        }
        catch (OperationCanceledException)
        {
            return Say("interrupted; the process runs, and nothing was kept", ExitCodes.Interrupted);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Say(failure.Message, ExitCodes.Failed);
        }
    }

    private static int Say(string message, int code)
    {
        Console.Error.WriteLine("corelift: " + TerminalText.Escape(message));
        return code;
    }

    private static int ToExitCode(AgentException failure) => failure.Status switch
    {
        StatusCode.NotFound => ExitCodes.TargetGone,
        StatusCode.Aborted => ExitCodes.TargetGone,
        StatusCode.InvalidArgument => ExitCodes.Usage,
        StatusCode.PermissionDenied or StatusCode.FailedPrecondition or StatusCode.AlreadyExists or StatusCode.Unauthenticated
            or StatusCode.ResourceExhausted or StatusCode.DeadlineExceeded or StatusCode.Unimplemented => ExitCodes.Refused,
        _ => ExitCodes.Failed,
    };
}

/// <summary>The command line says something that cannot be done.</summary>
internal sealed class UsageException : Exception
{
    public UsageException(string message)
        : base(message)
    {
    }
}
