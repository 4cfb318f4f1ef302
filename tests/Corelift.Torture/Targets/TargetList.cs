namespace Corelift.Torture.Targets;

/// <summary>The corpus.</summary>
internal static class TargetList
{
    private static readonly string[] s_everyKind =
        ["--threads", "4", "--mib", "4", "--shared-mib", "1", "--memfd-mib", "1", "--dontfork-mib", "1", "--wipeonfork-mib", "1", "--file-mib", "1", "--zero-mib", "4"];

    private static readonly string[] s_small = ["--threads", "2", "--mib", "2"];

    internal static IReadOnlyList<TargetKind> All { get; } =
    [
        new("canary", "canary", s_everyKind) { Weight = 10, HasModel = true },
        new("large", "canary", "--threads", "2", "--mib", "48") { HasModel = true },
        new("blocking", "blocking") { Weight = 6 },
        new("vectors", "vectors", "--threads", "3") { IsBusy = true, Weight = 4 },
        new("rseq", "rseq") { IsBusy = true, Weight = 4 },
        new("pairs", "pairs", "--mib", "2") { IsBusy = true, Weight = 4 },
        new("fds", "fds") { Weight = 3 },
        new("schedules", "schedules") { Weight = 3 },
        new("spinner", "spinner", s_small) { IsBusy = true, Weight = 3, HasModel = true },
        new("leaderless", "leaderless") { HasModel = true, MayBeRefused = true },
        new("stopped", "stopped") { IsJobStopped = true, HasModel = true },
        new("signals", "signals", "--storm", "500") { IsBusy = true, IsStill = false },
        new("churn", "churn", "--rate", "1000") { IsBusy = true, IsStill = false, MayBeRefused = true },
        new("storm", "storm", "--idle", "600", "--makers", "2") { IsBusy = true, IsStill = false, Weight = 1, MayBeRefused = true },
        new("execer", "execer", "--every-ms", "30") { IsBusy = true, IsStill = false, MayBeRefused = true },
        new("vforker", "vforker") { Weight = 1, MayBeRefused = true, StopBudget = TimeSpan.FromMilliseconds(200) },
        new("iouring", "iouring"),
        new("userfault", "userfault"),
        new("edges", "edges") { HasModel = true },
        new("prefork", "prefork", "--mib", "8") { HasModel = true },
        new("mode32", "mode32") { IsBusy = true, Weight = 1, MayBeRefused = true },
        new("nondumpable", "nondumpable", "--mib", "2") { HasModel = true },
        new("seccomp-kill", "seccomp", "--kill", "--mib", "2") { HasModel = true, MayBeRefused = true },
        new("seccomp-errno", "seccomp", "--errno", "--mib", "2") { Weight = 1, HasModel = true, MayBeRefused = true },
        new("seccomp-trap", "seccomp", "--trap", "--mib", "2") { Weight = 1, HasModel = true, MayBeRefused = true },
        new("seccomp-notify", "seccomp", "--notify", "--mib", "2") { Weight = 1, HasModel = true, MayBeRefused = true },
        new("seccomp-strict", "seccomp", "--strict", "--mib", "2") { HasModel = true, MayBeRefused = true },
        new("other-user", "canary", s_small) { HasModel = true, Surroundings = Surroundings.OtherUser },
        new("pid-namespace", "canary", s_small) { HasModel = true, Surroundings = Surroundings.PidNamespace },
        new("user-namespace", "canary", s_small) { HasModel = true, Surroundings = Surroundings.UserNamespace, MayBeRefused = true },
        new("frozen", "canary", s_small) { HasModel = true, Surroundings = Surroundings.Frozen, MayBeRefused = true },
        new("little-memory", "canary", "--threads", "2", "--mib", "40") { HasModel = true, Surroundings = Surroundings.LittleMemory, MemoryLimitBytes = 48L << 20, MayBeRefused = true },
        new("no-more-tasks", "canary", s_small) { HasModel = true, Surroundings = Surroundings.NoMoreTasks, MayBeRefused = true },
        new("starved", "canary", s_small) { IsBusy = true, HasModel = true, Surroundings = Surroundings.Starved },
    ];

    internal static TargetKind Named(string name) => All.Single(kind => kind.Name == name);
}
