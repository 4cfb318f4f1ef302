using Corelift.Fuzz.Engine;

namespace Corelift.Fuzz.Targets;

/// <summary>All targets, by who writes what they read.</summary>
internal static class FuzzTargets
{
    internal static IReadOnlyList<FuzzTarget> All { get; } =
    [
        // A target, through the kernel.
        FuzzTarget.Of<MapsTarget>(),
        FuzzTarget.Of<TaskFilesTarget>(),
        FuzzTarget.Of<RegionsTarget>(),
        FuzzTarget.Of<ExecutableTarget>(),
        FuzzTarget.Of<LinkMapTarget>(),

        // An agent, or whoever changed its core or its snapshot on the way.
        FuzzTarget.Of<CoreTarget>(),
        FuzzTarget.Of<CaptureStreamTarget>(),
        FuzzTarget.Of<SealedStreamTarget>(),
        FuzzTarget.Of<RingTarget>(),

        // A front end that somebody took over; a supervisor and a worker.
        FuzzTarget.Of<FrontEndTarget>(),
        FuzzTarget.Of<SupervisorTarget>(),
        FuzzTarget.Of<WorkerReportTarget>(),

        // A client.
        FuzzTarget.Of<RequestTarget>(),
        FuzzTarget.Of<TokenTarget>(),

        // Whoever can write the agent's files.
        FuzzTarget.Of<PolicyTarget>(),
        FuzzTarget.Of<ConfigurationTarget>(),
        FuzzTarget.Of<AuditTarget>(),
        FuzzTarget.Of<KeysTarget>(),
    ];
}
