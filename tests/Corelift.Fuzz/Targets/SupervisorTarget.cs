using System.Diagnostics;
using Corelift.Capture;
using Corelift.Capture.Sessions;
using Corelift.Capture.Supervision;
using Corelift.Capture.Worker;
using Corelift.Fuzz.Engine;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Fuzz.Targets;

/// <summary>
/// The other direction: what a front end reads from its supervisor, and from a worker that a hostile target took along. Byte 0
/// chooses; the worker's messages come on the socket that the supervisor hands over first.
/// </summary>
internal sealed class SupervisorTarget : IFuzzTarget
{
    private const string Version = "1";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(4);

    public static string Name => "supervisor";

    public static int MostBytes => 24 * 1024;

    public static IEnumerable<byte[]> Seeds
    {
        get
        {
            SupervisorMessage started = new() { Kind = SupervisorMessageKind.WorkerStarted, Number = 1, Pid = 1 };
            SupervisorMessage ended = new() { Kind = SupervisorMessageKind.WorkerEnded, Number = 1, WaitStatus = 9 };
            SupervisorMessage refused = new() { Kind = SupervisorMessageKind.WorkerRefused, Number = 1, Refusal = WorkerRefusal.TargetGone, Text = new FixedText("a sentence") };
            yield return [0, .. Protocol.Join(Protocol.Message(Welcome()), Protocol.Message(started), Protocol.Message(ended), Protocol.Message(refused))];
            foreach (WorkerReplyKind kind in Enum.GetValues<WorkerReplyKind>())
            {
                WorkerReply reply = new() { Kind = kind, Value = MonotonicClock.Nanoseconds, Text = "a sentence", Descriptors = WorkerDescriptors.Threads | WorkerDescriptors.Report };
                yield return [1, .. Protocol.Join(Protocol.Message(reply), Protocol.Message(reply))];
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
        using MessageSocket supervisor = ours;
        if ((input[0] & 1) != 0)
        {
            Send(supervisor, [Protocol.Message(Welcome())]);
            HearWorker(supervisor, theirs, messages);
            return;
        }

        Send(supervisor, messages);
        supervisor.Shutdown();
        try
        {
            using SupervisorConnection connection = SupervisorConnection.Open(theirs, Version, asksForFiles: false);
            _ = (connection.Limits, connection.Features.ToString(), connection.Capabilities.ToString(), connection.CleanedUp.Count);
            AwaitGone(connection);
        }
        catch (Exception failure) when (failure is SupervisorException or SyscallException)
        {
            // What is documented.
        }
    }

    private static SupervisorWelcome Welcome() => new()
    {
        Kind = SupervisorMessageKind.Welcome,
        Pid = 1,
        PidNamespace = SupervisorProgram.OwnPidNamespace(),
        MaxStopBudgetNanoseconds = 30_000_000_000,
        MaxHoldNanoseconds = 120_000_000_000,
        MaxWorkers = 4,
        Version = new FixedText(Version),
    };

    private static void Send(MessageSocket socket, List<byte[]> messages)
    {
        foreach (byte[] message in messages.Where(message => message.Length > 0))
        {
            _ = socket.TrySendNow(message);
        }
    }

    private static void AwaitGone(SupervisorConnection connection)
    {
        if (!connection.Gone.WaitHandle.WaitOne(s_patience))
        {
            throw new TimeoutException("the front end waits for a supervisor that has gone");
        }
    }

    /// <summary>A worker is started, says what the input holds, and ends.</summary>
    private static void HearWorker(MessageSocket supervisor, MessageSocket frontEnd, List<byte[]> messages)
    {
        using SupervisorConnection connection = SupervisorConnection.Open(frontEnd, Version, asksForFiles: false);
        (MessageSocket worker, MessageSocket toWorker) = MessageSocket.CreatePair();
        Task<WorkerConnection> starting = WorkerConnection.StartAsync(connection, new WorkerRequest { Task = WorkerTask.Stop, Pid = 1 });
        using (worker)
        using (toWorker)
        using (SafeFileHandle some = File.OpenHandle("/dev/null"))
        {
            _ = supervisor.TrySend(Protocol.Message(new SupervisorMessage { Kind = SupervisorMessageKind.WorkerStarted, Number = 1, Pid = 1 }), toWorker.Handle);
            foreach (byte[] message in messages.Where(message => message.Length > 0))
            {
                _ = worker.TrySendNow(message, some, some);
            }
        }

        _ = supervisor.TrySend(Protocol.Message(new SupervisorMessage { Kind = SupervisorMessageKind.WorkerEnded, Number = 1 }));
        ListenAsync(starting, messages.Count).GetAwaiter().GetResult();
        supervisor.Shutdown();
        AwaitGone(connection);
    }

    private static async Task ListenAsync(Task<WorkerConnection> starting, int most)
    {
        long began = Stopwatch.GetTimestamp();
        await using WorkerConnection worker = await starting.WaitAsync(s_patience);
        try
        {
            for (int i = 0; i <= most; i++)
            {
                using CancellationTokenSource patience = new(s_patience);
                using WorkerMessageIn message = await worker.NextAsync(patience.Token);
                foreach (WorkerDescriptors which in Enum.GetValues<WorkerDescriptors>())
                {
                    _ = message.TakeDescriptor(which);
                }

                _ = message.QuiescedFor;
            }
        }
        catch (CaptureException)
        {
            // What is documented, for each end.
        }

        if (Stopwatch.GetElapsedTime(began) > s_patience)
        {
            throw new TimeoutException("a worker that has ended is waited for");
        }
    }
}
