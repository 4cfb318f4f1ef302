using Corelift.Torture.Targets;

namespace Corelift.Torture.Tests;

/// <summary>Each target of the corpus in each session, with nothing done to it: a core or a clear refusal, and no harm.</summary>
public sealed class CorpusTests(CorpusTests.OneAgent agent) : IClassFixture<CorpusTests.OneAgent>
{
    // What cannot be had of them, and has to be said with its reason.
    private static readonly Dictionary<(string Target, string Session), string> s_refusals = new()
    {
        [("frozen", "fork")] = "FORK_NOT_SAFE",
        [("frozen", "precopy")] = "PRECOPY_NOT_POSSIBLE",
        [("little-memory", "fork")] = "FORK_NOT_SAFE",
        [("mode32", "direct")] = "UNSUPPORTED_ARCHITECTURE",
        [("mode32", "fork")] = "UNSUPPORTED_ARCHITECTURE",
        [("mode32", "stop")] = "UNSUPPORTED_ARCHITECTURE",
        [("no-more-tasks", "fork")] = "FORK_NOT_SAFE",
        [("no-more-tasks", "precopy")] = "PRECOPY_NOT_POSSIBLE",
        [("seccomp-kill", "fork")] = "FORK_NOT_SAFE",
        [("seccomp-kill", "precopy")] = "PRECOPY_NOT_POSSIBLE",
        [("seccomp-notify", "fork")] = "FORK_NOT_SAFE",
        [("seccomp-trap", "fork")] = "FORK_NOT_SAFE",
        [("vforker", "direct")] = "STOP_BUDGET",
        [("vforker", "fork")] = "STOP_BUDGET",
        [("vforker", "stop")] = "STOP_BUDGET",
    };

    public static TheoryData<string> Targets => [.. TargetList.All.Select(kind => kind.Name)];

    [Theory, MemberData(nameof(Targets))]
    public async Task Left_alone_it_has_a_core_or_a_reason_why_not(string target)
    {
        CaseRunner runner = new(agent.Place);
        foreach (Session session in Enum.GetValues<Session>())
        {
            TortureCase torture = new(2 * (int)session, TargetList.Named(target), session, Fault.None, 0, null);
            CaseReport report = await runner.RunAsync(torture);
            Assert.True(report.Failure is null, $"{torture.Repeat(null)}: {report.Failure}");
            if (s_refusals.TryGetValue((target, session.ToString().ToLowerInvariant()), out string? reason))
            {
                Assert.Equal(reason, report.Inflicted!.Outcome.Reason);
            }
        }

        await agent.Place.EndTargetAsync(TargetList.Named(target));
    }

    /// <summary>What all tests of the class share.</summary>
    public sealed class OneAgent : IAsyncLifetime
    {
        internal Workplace Place { get; } = new();

        public Task InitializeAsync() => Task.CompletedTask;

        public async Task DisposeAsync()
        {
            await Place.EndAsync();
            await Place.DisposeAsync();
        }
    }
}
