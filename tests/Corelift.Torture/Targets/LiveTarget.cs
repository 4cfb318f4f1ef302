namespace Corelift.Torture.Targets;

/// <summary>A target that lives, with what is around it.</summary>
internal sealed class LiveTarget : IDisposable
{
    private const long MostResidentGrowth = 1 << 20;
    private const long MostPageTableGrowth = 128 << 10;
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(10);
    private const string InCgroup = "echo $$ >\"$0\" && exec \"$@\"";

    private readonly TestCgroup? _cgroup;
    private readonly List<LiveProcess> _crowd = [];
    private readonly TargetBaseline? _baseline;
    private readonly (long Resident, long PageTables) _footprint;

    private LiveTarget(TargetKind kind)
    {
        Kind = kind;
        _cgroup = kind.Surroundings switch
        {
            Surroundings.Frozen => TestCgroup.InUnified(),
            Surroundings.LittleMemory => TestCgroup.WithMemory(kind.MemoryLimitBytes),
            Surroundings.NoMoreTasks => TestCgroup.ForTasks(),
            _ => null,
        };
        Process = Begin();
        try
        {
            for (int i = 0; kind.Surroundings == Surroundings.Starved && i < Environment.ProcessorCount; i++)
            {
                _crowd.Add(LiveProcess.Start("spinner"));
            }

            Settle();
            _baseline = kind.IsStill ? TargetBaseline.Take(Process.Pid) : null;
            _footprint = Footprint();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal TargetKind Kind { get; }

    internal LiveProcess Process { get; }

    /// <summary>Whether it has a thread that has not ended; the main thread may have.</summary>
    internal bool IsAlive => Proc.StartTime(Process.Pid) == Process.StartTime && Proc.Tasks(Process.Pid).Any(tid => Proc.State(Process.Pid, tid) is not ("Z" or "X" or "-"));

    /// <summary>How many cases it has been through.</summary>
    internal int Cases { get; set; }

    internal static LiveTarget Start(TargetKind kind) => new(kind);

    /// <summary>Whether anything of ours is at it now.</summary>
    internal bool HasLeftovers => DescribeLeftovers().Length > 0;

    /// <summary>Has it look at itself.</summary>
    /// <exception cref="TestingException">It was harmed.</exception>
    internal async Task CheckAsync()
    {
        if (Kind.IsJobStopped)
        {
            string[] running = [.. Proc.Tasks(Process.Pid).Select(tid => Proc.State(Process.Pid, tid)).Where(state => state != "T")];
            _ = running.Length > 0 ? throw new TestingException($"a job-stopped target has threads in state {string.Join(", ", running)}") : 0;
            return;
        }

        Freeze(false);
        await Process.CheckAsync();
        await AssertNothingLeftAsync(s_bound); // what a frozen thread was made to do comes only now
        Freeze(true);
        _ = _cgroup?.KilledForMemory > 0 ? throw new TestingException("the kernel killed a process of the target's cgroup for want of memory") : 0;
    }

    /// <summary>Compares it with how it was when it was started.</summary>
    /// <exception cref="TestingException">Something is left; the message lists it.</exception>
    internal async Task AssertAsBeforeAsync(TimeSpan bound)
    {
        Freeze(false); // a frozen thread that had to put its mask back does so only now
        await CompareAsync(bound);
        Freeze(true);
    }

    private async Task CompareAsync(TimeSpan bound)
    {
        if (_baseline is not null)
        {
            await _baseline.AssertUnchangedAsync(bound);
        }

        await AssertNothingLeftAsync(bound);
        (long resident, long tables) = Footprint();
        if (Kind.IsStill && (resident > _footprint.Resident + MostResidentGrowth || tables > _footprint.PageTables + MostPageTableGrowth))
        {
            throw new TestingException(
                $"target {Process.Pid} ({Kind.Name}) had {_footprint.Resident >> 10} KiB of memory and {_footprint.PageTables >> 10} KiB of page tables, and has {resident >> 10} and {tables >> 10}");
        }
    }

    /// <summary>At the end: what can only be seen by letting it go on.</summary>
    internal async Task CheckAtEndAsync()
    {
        const int Continue = 18; // SIGCONT
        if (Kind.IsJobStopped)
        {
            Process.Signal(Continue);
            await Process.CheckAsync();
        }
    }

    public void Dispose()
    {
        Freeze(false);
        Process.Dispose();
        foreach (LiveProcess other in _crowd)
        {
            other.Dispose();
        }

        _cgroup?.Dispose();
    }

    private LiveProcess Begin()
    {
        LaunchOptions options = new() { Uid = Kind.Surroundings == Surroundings.OtherUser ? 1000 : null, NewNamespaces = Kind.Surroundings == Surroundings.PidNamespace };
        string program = Artifacts.Tracee(Kind.Tracee);
        return Kind.Surroundings switch
        {
            Surroundings.UserNamespace => LiveProcess.StartProgram("unshare", ["--user", "--map-root-user", "--", program, .. Kind.Arguments]),
            Surroundings.Starved => LiveProcess.StartProgram("nice", ["-n", "19", program, .. Kind.Arguments]),
            _ when _cgroup is not null => LiveProcess.StartProgram("sh", ["-c", InCgroup, _cgroup.Processes, program, .. Kind.Arguments]),
            _ => LiveProcess.Start(options, Kind.Tracee, Kind.Arguments),
        };
    }

    /// <summary>The first check touches what later ones touch; then it is measured.</summary>
    private void Settle()
    {
        if (Kind.IsJobStopped)
        {
            Wait.UntilAsync(() => Proc.Tasks(Process.Pid).All(tid => Proc.State(Process.Pid, tid) == "T"), TimeSpan.FromSeconds(10), "the target stopped by itself")
                .GetAwaiter().GetResult();
            return;
        }

        Process.CheckAsync().GetAwaiter().GetResult();
        if (Kind.Surroundings == Surroundings.NoMoreTasks)
        {
            _cgroup!.AllowMoreTasks(0);
        }

        Freeze(true);
    }

    private async Task AssertNothingLeftAsync(TimeSpan bound)
    {
        string left = string.Empty;
        await Wait.UntilAsync(() => Task.FromResult((left = DescribeLeftovers()).Length == 0), bound, () => $"target {Process.Pid} ({Kind.Name}) free of: {left}");
    }

    private void Freeze(bool freezes)
    {
        if (Kind.Surroundings == Surroundings.Frozen)
        {
            _cgroup!.Freeze(freezes);
        }
    }

    private string DescribeLeftovers() => Leftovers.Describe(Process.Pid, hasOwnIdlePolicies: Kind.Name == "schedules");

    private (long Resident, long PageTables) Footprint() => (Proc.StatusBytes(Process.Pid, "VmRSS"), Proc.StatusBytes(Process.Pid, "VmPTE"));
}
