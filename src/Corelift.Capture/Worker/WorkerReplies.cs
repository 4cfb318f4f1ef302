using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Capture.Worker;

/// <summary>What a worker says to its agent, and hears from it.</summary>
internal sealed class WorkerReplies
{
    private readonly MessageSocket _agent;
    private readonly List<SafeFileHandle> _ignored = [];

    internal WorkerReplies(MessageSocket agent) => _agent = agent;

    /// <summary>The journal of schedules that came with the request, or null where the target is not to be quiesced.</summary>
    internal SafeFileHandle? QuiesceJournal { get; init; }

    /// <summary>For how long the target was quiesced; said with the instant.</summary>
    internal long QuiescedNanoseconds { get; set; }

    /// <summary>Why it was not, where that was asked for.</summary>
    internal string NotQuiescedBecause { get; set; } = string.Empty;

    /// <summary>Hands over an instant.</summary>
    /// <param name="descriptors">In the order of the flags; null where there is none.</param>
    internal void Instant(params ReadOnlySpan<(WorkerDescriptors Which, SafeFileHandle? Handle)> descriptors) =>
        HandOver(WorkerReplyKind.Instant, descriptors);

    /// <summary>Says that writes are tracked, and hands over what the live rounds need.</summary>
    /// <param name="descriptors">In the order of the flags; null where there is none.</param>
    internal void Tracking(params ReadOnlySpan<(WorkerDescriptors Which, SafeFileHandle? Handle)> descriptors) =>
        HandOver(WorkerReplyKind.Tracking, descriptors);

    /// <summary>Says that the target is seized, and asks whether it may be stopped.</summary>
    internal void Seized()
    {
        var reply = new WorkerReply { Kind = WorkerReplyKind.Seized };
        _ = _agent.TrySend(WorkerMessage.ToBytes(ref reply));
    }

    /// <summary>Whether a command is there, or the agent has gone; waits for that.</summary>
    internal bool IsReadable(TimeSpan longest) => _agent.WaitReadable((int)Math.Clamp(longest.TotalMilliseconds, 0, int.MaxValue));

    internal void Ready()
    {
        var reply = new WorkerReply { Kind = WorkerReplyKind.Ready };
        _ = _agent.TrySend(WorkerMessage.ToBytes(ref reply));
    }

    private void HandOver(WorkerReplyKind kind, ReadOnlySpan<(WorkerDescriptors Which, SafeFileHandle? Handle)> descriptors)
    {
        var reply = new WorkerReply { Kind = kind, Value = QuiescedNanoseconds, Text = NotQuiescedBecause };
        var handles = new List<SafeFileHandle>();
        foreach ((WorkerDescriptors which, SafeFileHandle? handle) in descriptors)
        {
            if (handle is not null)
            {
                reply.Descriptors |= which;
                handles.Add(handle);
            }
        }

        _ = _agent.TrySend(WorkerMessage.ToBytes(ref reply), handles.ToArray());
    }

    internal void Window(int lengthBytes)
    {
        var reply = new WorkerReply { Kind = WorkerReplyKind.Window, Value = lengthBytes };
        _ = _agent.TrySend(WorkerMessage.ToBytes(ref reply));
    }

    internal void Released(long stoppedNanoseconds, string text = "")
    {
        var reply = new WorkerReply { Kind = WorkerReplyKind.Released, Value = stoppedNanoseconds, Text = text };
        _ = _agent.TrySend(WorkerMessage.ToBytes(ref reply));
    }

    internal void Fail(CaptureFailure failure, string text)
    {
        var reply = new WorkerReply { Kind = WorkerReplyKind.Failed, Failure = failure, Text = text };
        _ = _agent.TrySend(WorkerMessage.ToBytes(ref reply));
    }

    /// <summary>The next command; false where the agent has gone, or the time is up.</summary>
    internal bool TryReceive(TimeSpan longest, out WorkerCommand command)
    {
        command = default;
        Span<byte> message = stackalloc byte[WorkerMessage.MaxBytes];
        int timeout = (int)Math.Clamp(Math.Ceiling(longest.TotalMilliseconds), 0, int.MaxValue);
        if (!_agent.WaitReadable(timeout))
        {
            return false;
        }

        int length = _agent.Receive(message, _ignored);
        return length > 0 && WorkerMessage.TryRead(message[..length], out command);
    }
}
