namespace Corelift.Torture.Targets;

/// <summary>A target as it is started for cases.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Tracee">The program in tests/tracees.</param>
/// <param name="Arguments">Its arguments.</param>
internal sealed record TargetKind(string Name, string Tracee, params string[] Arguments)
{
    /// <summary>How often it is drawn, beside the others.</summary>
    internal int Weight { get; init; } = 2;

    /// <summary>
    /// Whether its threads, mappings, children and descriptors stay as they are, so that all of them can be compared.
    /// </summary>
    internal bool IsStill { get; init; } = true;

    /// <summary>Whether it takes all the CPU that it gets: it is ended when another one's turn comes.</summary>
    internal bool IsBusy { get; init; }

    /// <summary>Whether its memory stays what the words of tracees say, so that a core can be compared.</summary>
    internal bool HasModel { get; init; }

    /// <summary>Whether there are sessions that cannot be had of it; the error then has to say why.</summary>
    internal bool MayBeRefused { get; init; }

    /// <summary>Whether it has stopped itself by SIGSTOP, and has to stay so.</summary>
    internal bool IsJobStopped { get; init; }

    /// <summary>What it is started in.</summary>
    internal Surroundings Surroundings { get; init; }

    /// <summary>Longest stop that is asked for.</summary>
    internal TimeSpan StopBudget { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Bytes that its cgroup may hold; 0 for no limit.</summary>
    internal long MemoryLimitBytes { get; init; }
}

/// <summary>What a target is started in.</summary>
internal enum Surroundings
{
    /// <summary>Nothing in particular.</summary>
    Plain,

    /// <summary>As uid 1000.</summary>
    OtherUser,

    /// <summary>As process 1 of a pid namespace.</summary>
    PidNamespace,

    /// <summary>In a user namespace, where it is root.</summary>
    UserNamespace,

    /// <summary>In a cgroup that is frozen once it is ready.</summary>
    Frozen,

    /// <summary>In a cgroup with a limit on memory that it nearly uses up.</summary>
    LittleMemory,

    /// <summary>In a cgroup that may have no more tasks than it has.</summary>
    NoMoreTasks,

    /// <summary>At nice 19, beside others who take every CPU: what it was to do when its tracer died, it does long after.</summary>
    Starved,
}
