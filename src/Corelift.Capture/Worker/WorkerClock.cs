using Corelift.Linux.Processes;
using Corelift.Linux.Ptrace;

namespace Corelift.Capture.Worker;

/// <summary>
/// The worker's own enforcement of its stop budget, on a thread beside the tracer: past the deadline and a grace it ends the
/// process, and the kernel lets every task of the target run. It does the same soon after the front end or the supervisor has
/// gone. Both are told of each deadline, and enforce it from outside. Tracer threads that wait for a stop are woken by it, to look
/// at their own deadline.
/// </summary>
internal sealed class WorkerClock
{
    /// <summary>Exit status of a worker whose stop overran its budget.</summary>
    internal const int Overran = 3;

    private const int AgentHasGone = 4;
    private const int AboveTracers = 2; // they may hold every CPU
    private const long TickNanoseconds = 2_000_000;
    private const long GraceNanoseconds = 30_000_000;
    private const long GraceWithoutAgent = 2_000_000_000;
    private const long GraceWithoutAgentStopped = 50_000_000;

    private readonly MessageSocket _agent;
    private readonly MessageSocket _supervisor;
    private long _deadline = long.MaxValue;
    private TraceSession? _session;

    internal WorkerClock(MessageSocket agent, MessageSocket supervisor)
    {
        _agent = agent;
        _supervisor = supervisor;
        TracerSleep.Prepare();
        new Thread(Run, 256 * 1024) { IsBackground = true, Name = "worker-clock" }.Start();
    }

    /// <summary>Whether the front end or the supervisor has gone: whatever is under way is to be ended.</summary>
    internal bool IsAgentGone { get; private set; }

    /// <summary>Watches a session: frees an execve that waits for tasks which it holds.</summary>
    internal void Watch(TraceSession session) => Volatile.Write(ref _session, session);

    /// <summary>From now on the target is stopped, until at the latest <paramref name="deadline"/> (CLOCK_MONOTONIC, ns).</summary>
    internal void StopBegins(long deadline)
    {
        Volatile.Write(ref _deadline, deadline);
        Tell(new WorkerReply { Kind = WorkerReplyKind.StopBegins, Value = deadline });
    }

    /// <summary>The target runs.</summary>
    internal void StopEnds()
    {
        Volatile.Write(ref _deadline, long.MaxValue);
        Tell(new WorkerReply { Kind = WorkerReplyKind.StopEnds });
    }

    private void Tell(WorkerReply reply)
    {
        _ = _supervisor.TrySend(WorkerMessage.ToBytes(ref reply)); // first: it always reads
        _ = _agent.TrySend(WorkerMessage.ToBytes(ref reply));
    }

    private void Run()
    {
        _ = SelfControl.RaisePriority(AboveTracers);
        long agentGoneAt = 0;
        while (true)
        {
            long now = MonotonicClock.Nanoseconds;
            long deadline = Volatile.Read(ref _deadline);
            if (deadline != long.MaxValue && now - deadline > GraceNanoseconds)
            {
                SelfControl.ExitNow(Overran);
            }

            TracerSleep.WakeOverdue(now);
            Volatile.Read(ref _session)?.ReapForExec(now);
            if (!IsAgentGone && (_agent.IsPeerGone || _supervisor.IsPeerGone))
            {
                IsAgentGone = true;
                agentGoneAt = now;
            }

            long grace = deadline == long.MaxValue ? GraceWithoutAgent : GraceWithoutAgentStopped;
            if (IsAgentGone && now - agentGoneAt > grace)
            {
                SelfControl.ExitNow(AgentHasGone);
            }

            MonotonicClock.Relax(TickNanoseconds);
        }
    }
}
