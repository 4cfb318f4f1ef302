using Corelift.Capture.Supervision;
using Corelift.Capture.Worker;
using Corelift.Fuzz.Engine;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Fuzz.Targets;

/// <summary>
/// A supervisor that serves a front end which somebody took over: the privilege boundary. It is a real one on a thread, over a
/// real socket; the workers that it starts are programs that end at once. Where byte 0 says so, the messages go to the socket that
/// files of targets are asked for on.
/// </summary>
internal sealed class FrontEndTarget : IFuzzTarget
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(4);

    private static readonly SupervisorSettings s_settings = new("/bin/true", new SupervisorLimits { MaxWorkers = 4 }, new QuiesceJournals(null));

    public static string Name => "front-end";

    public static int MostBytes => 24 * 1024;

    public static IEnumerable<byte[]> Seeds
    {
        get
        {
            WorkerRequest request = new() { Task = WorkerTask.Capture, Pid = 1, StartTimeTicks = 1, StopBudgetNanoseconds = 1_000_000_000, HoldNanoseconds = 1_000_000_000 };
            FrontEndRequest start = new() { Verb = FrontEndVerb.StartWorker, Number = 1, Start = request };
            FrontEndRequest nothing = new() { Verb = FrontEndVerb.StartWorker, Number = 2, Start = new WorkerRequest { Task = WorkerTask.Nothing } };
            FrontEndRequest kill = new() { Verb = FrontEndVerb.KillWorker, Number = 2 };
            FrontEndRequest files = new() { Verb = FrontEndVerb.OpenFiles, Number = 3 };
            yield return [0, .. Protocol.Join(Protocol.Message(start), Protocol.Message(nothing), Protocol.Message(kill), Protocol.Message(files))];
            foreach (TargetFile file in Enum.GetValues<TargetFile>())
            {
                TargetFileRequest asked = new() { File = file, Pid = 1, Tid = 1, StartTimeTicks = 1, PathBytes = 10 };
                "/bin/../sh"u8.CopyTo(asked.Path);
                yield return [1, .. Protocol.Join(Protocol.Message(asked))];
            }
        }
    }

    public static byte[]? Mutate(byte[] input, Random random) => Protocol.MutateAfterFirst(input, random);

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        List<byte[]> messages = Protocol.Cut(input[1..]);
        (MessageSocket ours, MessageSocket theirs) = MessageSocket.CreatePair();
        Exception? failure = null;
        Thread server;
        if ((input[0] & 1) == 0)
        {
            server = new Thread(() => Guard(() => new Supervisor(s_settings, theirs, Environment.ProcessId).Serve(default, [], new NoEvents()), out failure), 256 * 1024);
        }
        else
        {
            server = new Thread(() => Guard(() => TargetFileServer.Serve(theirs, ours.Shutdown), out failure), 256 * 1024);
        }

        server.IsBackground = true;
        server.Start();
        Talk(ours, messages);
        ours.Dispose();
        if (!server.Join(s_patience))
        {
            throw new TimeoutException("the supervisor goes on though its front end has gone");
        }

        if (failure is not null)
        {
            throw new InvalidOperationException("the supervisor broke", failure);
        }
    }

    private static void Guard(Action serve, out Exception? failure)
    {
        failure = null;
        try
        {
            serve();
        }
        catch (Exception broken)
        {
            failure = broken;
        }
    }

    private static void Talk(MessageSocket socket, List<byte[]> messages)
    {
        List<SafeFileHandle> descriptors = [];
        Span<byte> answer = stackalloc byte[16 * 1024];
        try
        {
            foreach (byte[] message in messages.Where(message => message.Length > 0))
            {
                if (!socket.TrySend(message))
                {
                    break;
                }

                while (socket.WaitReadable(0) && socket.Receive(answer, descriptors) > 0)
                {
                }
            }
        }
        catch (SyscallException)
        {
            // It has closed the connection.
        }

        descriptors.ForEach(descriptor => descriptor.Dispose());
    }
}
