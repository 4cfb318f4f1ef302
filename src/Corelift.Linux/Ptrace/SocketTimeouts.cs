using Corelift.Linux.Interop;
using Corelift.Linux.Processes;

namespace Corelift.Linux.Ptrace;

/// <summary>
/// SO_RCVTIMEO and SO_SNDTIMEO of the target's sockets, for the moment in which a call is made again: the kernel takes the
/// timeout from the socket when the call begins, so it is shortened right before the resume and put back once the task
/// sleeps again.
/// </summary>
internal sealed unsafe class SocketTimeouts : IDisposable
{
    private const int SocketLevel = 1;                  // SOL_SOCKET
    private const int ReceiveTimeout = 20;              // SO_RCVTIMEO
    private const int SendTimeout = 21;                 // SO_SNDTIMEO
    private const long Patience = 10_000_000;
    private const long Interval = 20_000;

    private readonly List<Shortened> _shortened = new(16);
    private readonly int _pid;
    private int _pidfd = -1;

    internal SocketTimeouts(int pid) => _pid = pid;

    /// <summary>Opens what leads to the target's descriptors; before the stop.</summary>
    internal void Open() => _pidfd = _pidfd < 0 ? LibC.PidfdOpen(_pid, 0) : _pidfd;

    /// <summary>Shortens a socket's timeout by the time that a call has waited.</summary>
    /// <param name="tracee">The stopped task; the socket is its call's first argument.</param>
    /// <param name="call">Which of the two timeouts.</param>
    /// <param name="waited">In nanoseconds.</param>
    /// <param name="waiting">How the task was seen waiting.</param>
    /// <param name="slots">Remember deadlines from one stop to the next.</param>
    /// <returns>True where the time is up and the call would not notice: it has to return.</returns>
    internal bool Shorten(in Tracee tracee, TimedCall call, long waited, in Waiting waiting, TimeoutSlots slots)
    {
        // A task with a table of descriptors of its own is left alone.
        if (_pidfd < 0 || (tracee.Tid != _pid && LibC.CompareFileTables(_pid, tracee.Tid) != 0))
        {
            return false;
        }

        int socket = LibC.PidfdGetfd(_pidfd, unchecked((int)tracee.Registers.Rdi));
        int option = call.Place == TimeoutPlace.Receive ? ReceiveTimeout : SendTimeout;
        bool connects = tracee.Registers.OrigRax == SyscallNumber.Connect;
        if (socket < 0 || !TryGet(socket, option, out TimeValue full) || full.Nanoseconds == 0
            || ReturnsAtOnce(socket, call.Place, connects, out bool isPending))
        {
            Close(socket);
            return false;
        }

        // A call that an earlier stop made again began anew then, and the socket says nothing of that.
        long now = MonotonicClock.Nanoseconds;
        long remaining = Math.Min(full.Nanoseconds - waited, slots.DeadlineOf(tracee.Tid, waiting) - now);
        if (remaining <= 0 && connects && isPending)
        {
            Close(socket);
            return true; // made again it would say EALREADY
        }

        slots.AddDeadline(tracee.Tid, waiting.Sleeps + 2, now, now + remaining); // one is the stop, the other the call made again
        var shorter = TimeValue.From(Math.Max(remaining, 1000)); // 0 would be for ever; the kernel rounds up to a tick
        if (Set(socket, option, shorter) && TryGet(socket, option, out TimeValue set))
        {
            _shortened.Add(new Shortened(tracee.Tid, socket, option, full, set, waiting));
        }
        else
        {
            Close(socket);
        }

        return false;
    }

    /// <summary>
    /// Puts every timeout back as soon as its task sleeps again, at the latest after ten milliseconds. A timeout that the
    /// target has set itself meanwhile stays.
    /// </summary>
    internal void PutBack(WaitLook look)
    {
        long deadline = MonotonicClock.Nanoseconds + Patience;
        foreach (Shortened socket in _shortened)
        {
            while (!HasEntered(socket, look) && MonotonicClock.Nanoseconds < deadline)
            {
                MonotonicClock.Relax(Interval);
            }

            if (TryGet(socket.Descriptor, socket.Option, out TimeValue now) && now.Nanoseconds == socket.Set.Nanoseconds)
            {
                _ = Set(socket.Descriptor, socket.Option, socket.Full);
            }

            _ = LibC.Close(socket.Descriptor);
        }

        _shortened.Clear();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_pidfd >= 0)
        {
            _ = LibC.Close(_pidfd);
            _pidfd = -1;
        }
    }

    /// <summary>The stop was its one arrival on a CPU, the resume another: asleep after that, it has entered the call.</summary>
    private static bool HasEntered(in Shortened socket, WaitLook look) =>
        !look.TryReadArrivals(socket.Waiting.SchedstatName, out ulong arrivals)
        || (arrivals >= socket.Waiting.Arrivals + 2 && look.IsAsleep(socket.Tid));

    /// <summary>
    /// Whether the call has no reason to wait, by poll(2). A socket that connects is not writable yet; one that does not, as
    /// a Unix socket whose listener has no room, is POLLHUP.
    /// </summary>
    private static bool ReturnsAtOnce(int socket, TimeoutPlace place, bool connects, out bool isPending)
    {
        const short Input = 1;  // POLLIN
        const short Output = 4; // POLLOUT
        var poll = new PollFd { Descriptor = socket, Events = place == TimeoutPlace.Receive ? Input : Output };
        isPending = LibC.Poll(&poll, 1, 0) == 0;
        return !isPending && (!connects || poll.Returned == Output);
    }

    private static void Close(int descriptor) => _ = descriptor >= 0 ? LibC.Close(descriptor) : 0;

    private static bool TryGet(int socket, int option, out TimeValue value)
    {
        TimeValue time = default;
        uint length = (uint)sizeof(TimeValue);
        bool got = LibC.Getsockopt(socket, SocketLevel, option, &time, &length) == 0 && length == sizeof(TimeValue);
        value = time;
        return got;
    }

    private static bool Set(int socket, int option, TimeValue value) =>
        LibC.Setsockopt(socket, SocketLevel, option, &value, (uint)sizeof(TimeValue)) == 0;

    private readonly record struct Shortened(int Tid, int Descriptor, int Option, TimeValue Full, TimeValue Set, Waiting Waiting);
}
