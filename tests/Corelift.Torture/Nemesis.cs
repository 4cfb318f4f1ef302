using System.Diagnostics;
using Corelift.Torture.Targets;

namespace Corelift.Torture;

/// <summary>What a fault did.</summary>
/// <param name="Outcome">How the session ended.</param>
/// <param name="WasInTime">Whether it came before the session's end.</param>
/// <param name="Release">From a kill until every thread of the target ran.</param>
internal sealed record Inflicted(Outcome Outcome, bool WasInTime, Release? Release);

/// <summary>Runs a session, and does to it what the case says at its moment.</summary>
internal sealed class Nemesis(TortureCase torture, long moment, long syscalls, LiveTarget target, TorturedAgent agent)
{
    private const int SigStop = 19, SigContinue = 18;
    private static readonly TimeSpan s_shortBudget = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan s_beyondBudget = TimeSpan.FromMilliseconds(700);
    private static readonly TimeSpan s_slowness = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_patienceWithWorker = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(40);

    private int _worker;

    internal async Task<Inflicted> RunAsync()
    {
        switch (torture.Fault)
        {
            case Fault.WorkerSyscall:
                return await AtSyscallsAsync(moment);
            case Fault.ReaperSyscall:
                // In the later part of its session a worker of strategy fork holds an image, which then has to be reaped.
                long last = (long)(syscalls * (0.5 + (0.45 * CaseChooser.Source(torture.Seed, 5).NextDouble())));
                return await AtSyscallsAsync(last + 1, Math.Max(1, moment));
            case Fault.SlowReader:
                return await SlowlyAsync();
            default:
                return await AtTimeAsync();
        }
    }

    private async Task<Inflicted> AtSyscallsAsync(params long[] numbers)
    {
        agent.Points.Arm(target.Process.Pid, numbers);
        Outcome outcome = await BoundedAsync(Call().RunAsync(CancellationToken.None));
        await agent.AssertIdleAsync();
        int workers = agent.Points.Disarm(numbers.Length);
        IReadOnlyList<PointReached> reached = await agent.Points.ReachedAsync(workers);
        Release[] releases = [.. reached.Where(point => point.WasKilled).Select(point => point.Release)];
        return new Inflicted(outcome, releases.Length == numbers.Length, releases.Length > 0 ? releases.MaxBy(release => release.Seen) : null);
    }

    private async Task<Inflicted> SlowlyAsync()
    {
        Release? release = null;
        int stopAt = 1 + (int)(torture.Fraction * 8);
        SessionCall call = new(target, torture, agent.Channel)
        {
            StopBudget = s_shortBudget,
            AfterMessage = async messages =>
            {
                if (messages == stopAt && torture.Session != Session.Stop)
                {
                    release = ReleaseWatch.Measure(target.Process.Pid, Stopwatch.GetTimestamp()).After(s_shortBudget);
                    await Task.Delay(s_slowness); // the fault itself
                }
            },
        };
        Outcome outcome = await BoundedAsync(call.RunAsync(CancellationToken.None));
        return new Inflicted(outcome, release is not null, release);
    }

    private async Task<Inflicted> AtTimeAsync()
    {
        using CancellationTokenSource cancel = new();
        using Grpc.Net.Client.GrpcChannel? own = torture.Fault == Fault.Disconnect ? agent.Process.Connect() : null;
        SessionCall call = new(target, torture, own ?? agent.Channel) { StopBudget = IsAStop ? s_shortBudget : target.Kind.StopBudget };
        Task<Outcome> session = Task.Run(() => call.RunAsync(cancel.Token), CancellationToken.None);
        if (torture.Fault == Fault.None)
        {
            return new Inflicted(await BoundedAsync(session), true, null);
        }

        bool isInTime = await Task.Factory.StartNew(
            () => AwaitMoment(session), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Release? release = await InflictAsync(cancel, own);
        return new Inflicted(await BoundedAsync(session), isInTime, release);
    }

    private bool IsAStop => torture.Fault is Fault.WorkerStop or Fault.FrontEndStop or Fault.SupervisorStop;

    private SessionCall Call() => new(target, torture, agent.Channel);

    /// <summary>Spins: a timer would come a millisecond late, and a session is not many.</summary>
    private bool AwaitMoment(Task session)
    {
        long start = Stopwatch.GetTimestamp();
        while (_worker == 0 && !session.IsCompleted && Stopwatch.GetElapsedTime(start) < s_patienceWithWorker)
        {
            _worker = agent.Workers.FirstOrDefault();
        }

        start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalMicroseconds < moment && !session.IsCompleted)
        {
            Thread.SpinWait(20);
        }

        return !session.IsCompleted;
    }

    private async Task<Release?> InflictAsync(CancellationTokenSource cancel, Grpc.Net.Client.GrpcChannel? connection)
    {
        long since = Stopwatch.GetTimestamp();
        switch (torture.Fault)
        {
            case Fault.Cancel:
                await cancel.CancelAsync();
                return null;
            case Fault.Disconnect:
                connection!.Dispose();
                return null;
            case Fault.TargetKill:
                Proc.Kill(target.Process.Pid);
                return null;
            case Fault.WorkerStop or Fault.FrontEndStop or Fault.SupervisorStop:
                return await HangAsync(since);
            default:
                foreach (int pid in Condemned())
                {
                    Proc.Kill(pid);
                }

                return ReleaseWatch.Measure(target.Process.Pid, since);
        }
    }

    private int[] Condemned() => torture.Fault switch
    {
        Fault.WorkerKill => [_worker],
        Fault.SupervisorKill => [agent.Supervisor],
        Fault.FrontEndKill => [agent.FrontEnd],
        Fault.AgentKill => [agent.FrontEnd, agent.Supervisor],
        _ => [agent.FrontEnd, agent.Supervisor, .. agent.Workers],
    };

    /// <summary>Nobody who hangs may keep the target stopped beyond its budget; what counts is what comes after that.</summary>
    private async Task<Release?> HangAsync(long since)
    {
        int pid = torture.Fault switch
        {
            Fault.WorkerStop => _worker,
            Fault.FrontEndStop => agent.FrontEnd,
            _ => agent.Supervisor,
        };
        Proc.Signal(pid, SigStop);
        try
        {
            Release released = ReleaseWatch.Measure(target.Process.Pid, since);
            TimeSpan rest = s_beyondBudget - Stopwatch.GetElapsedTime(since);
            await Task.Delay(rest > TimeSpan.Zero ? rest : TimeSpan.Zero); // the fault itself
            return torture.Session == Session.Stop ? null : released.After(s_shortBudget);
        }
        finally
        {
            Proc.Signal(pid, SigContinue);
        }
    }

    private static async Task<Outcome> BoundedAsync(Task<Outcome> session)
    {
        try
        {
            return await session.WaitAsync(s_bound);
        }
        catch (TimeoutException)
        {
            throw new TestingException($"the call had no end within {s_bound.TotalSeconds:0} s");
        }
    }
}
