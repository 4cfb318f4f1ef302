#pragma warning disable CA2000 // The connection owns its socket.
using Corelift.Capture.Supervision;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Agent.Hosting;

/// <summary>The front end's way to its supervisor: inherited from the process that started it, or a Unix socket.</summary>
internal static class SupervisorLink
{
    /// <summary>Option value for the descriptor that a front end is started with.</summary>
    internal const string Inherited = "fd:3";

    private const string UnixPrefix = "unix:";
    private const string BareMark = "CORELIFT_WITHOUT_CAPABILITIES";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    /// <summary>Connects, as a process without any capability; one that has some runs itself again without.</summary>
    /// <param name="link">"fd:3" or "unix:PATH".</param>
    /// <param name="arguments">Arguments of this process.</param>
    /// <param name="cancellationToken">Ends the wait for a supervisor that is not there yet.</param>
    /// <exception cref="StartRefusedException">There is no supervisor that serves this process.</exception>
    internal static async Task<SupervisorConnection> ConnectAsync(string link, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        DropCapabilities(arguments);
        if (link == Inherited)
        {
            return Open(() => new MessageSocket(new SafeFileHandle(SupervisorProgram.FrontEndDescriptor, ownsHandle: true)));
        }

        string path = ParsePath(link);
        long began = Environment.TickCount64;
        while (true)
        {
            try
            {
                return Open(() => MessageListener.Connect(path));
            }
            catch (TryAgainException failure) when (Environment.TickCount64 - began < s_patience.TotalMilliseconds)
            {
                // The supervisor may start after this process, or still be busy with the one before it.
                _ = failure;
            }
            catch (TryAgainException failure)
            {
                throw new StartRefusedException($"no supervisor serves on {link}: {failure.Message}");
            }

            await Task.Delay(s_interval, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The path of "unix:PATH".</summary>
    /// <exception cref="StartRefusedException">Not of that form.</exception>
    internal static string ParsePath(string link) => link.StartsWith(UnixPrefix, StringComparison.Ordinal)
        ? ListenAddress.Parse(link).Path!
        : throw new StartRefusedException($"cannot use '{link}' for a supervisor: write unix:PATH, the path being absolute");

    private static void DropCapabilities(IReadOnlyList<string> arguments)
    {
        if (Privileges.AreNone)
        {
            return;
        }

        string program = Environment.ProcessPath ?? throw new StartRefusedException("cannot find the agent's own program file: mount /proc");
        if (Environment.GetEnvironmentVariable(BareMark) is not null)
        {
            throw new StartRefusedException("the kernel gives this process its capabilities back at each execve: start it without any");
        }

        Environment.SetEnvironmentVariable(BareMark, "1");
        SyscallException failure = Privileges.ExecWithout(program, [program, .. arguments]);
        throw new StartRefusedException($"cannot run without capabilities ({failure.Message}): start this process without any");
    }

    private static SupervisorConnection Open(Func<MessageSocket> connect)
    {
        try
        {
            return SupervisorConnection.Open(connect(), AgentVersion.Text);
        }
        catch (SyscallException failure) when (failure.Errno is Errno.NoSuchFile or Errno.ConnectionRefused or Errno.ConnectionReset or Errno.TryAgain)
        {
            throw new TryAgainException($"{failure.Message}. Start one with: corelift-agent supervisor --front-end-uid {SelfControl.EffectiveUid} --listen unix:PATH");
        }
        catch (SyscallException failure)
        {
            throw new StartRefusedException($"cannot reach the supervisor ({failure.Message}): its socket must be one that this user may write to");
        }
        catch (SupervisorException failure)
        {
            throw failure.MayPass ? new TryAgainException(failure.Message) : new StartRefusedException(failure.Message);
        }
    }

    private sealed class TryAgainException(string message) : Exception(message);
}
