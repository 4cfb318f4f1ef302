namespace Corelift.Benchmarks.Peers;

/// <summary>One capture of a live target, or as long a time without one.</summary>
internal sealed record CaptureRun
{
    /// <summary>Of the whole program, from its start to its end.</summary>
    internal TimeSpan Elapsed { get; init; }

    /// <summary>Largest gap between two clock reads of the target's spinning thread.</summary>
    internal TimeSpan Gap { get; init; }

    /// <summary>The same without the time that the thread waited for a CPU: what a stop made of it.</summary>
    internal TimeSpan Stopped { get; init; }

    /// <summary>What the program itself says; null where it says nothing.</summary>
    internal TimeSpan? ReportedPause { get; init; }

    /// <summary>Between the first and the last thread's stop, as the program says; null where it says nothing.</summary>
    internal TimeSpan? Skew { get; init; }

    /// <summary>CPU time on the target's host: of the agent with its workers, or of the peer's program.</summary>
    internal TimeSpan? Cpu { get; init; }

    /// <summary>Largest resident bytes of the same.</summary>
    internal long? MemoryBytes { get; init; }

    /// <summary>What else there is to say of it.</summary>
    internal string Note { get; init; } = "";

    /// <summary>The pause that bars are held against: the longer of what the target saw and what was reported.</summary>
    internal TimeSpan Pause => Numbers.Larger(Stopped, ReportedPause ?? TimeSpan.Zero);
}

/// <summary>A program cannot do this here, and that is nobody's fault in this run.</summary>
internal sealed class CannotException(string message) : Exception(message);

/// <summary>A way to a core, as a user would run it.</summary>
internal abstract class Peer(string name) : IAsyncDisposable
{
    internal string Name { get; } = name;

    /// <summary>Most repeats.</summary>
    internal virtual int MostRounds => int.MaxValue;

    /// <summary>Why this shape is not tried; null where it is.</summary>
    internal virtual string? Declines(TargetShape shape) => null;

    /// <summary>Makes a core of the target. The gaps are filled in by who calls.</summary>
    /// <exception cref="CannotException">It is not possible on this machine, or not yet in this agent.</exception>
    /// <exception cref="TestingException">It went wrong.</exception>
    internal abstract Task<CaptureRun> CaptureAsync(BenchmarkRun run, LiveProcess target);

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Bytes that the target knows to hold.</summary>
    protected static long LeastBytes(LiveProcess target) => target.Range("private").Length;

    /// <summary>A core that lacks what the target holds would win every comparison.</summary>
    protected static void RequireWhole(IEnumerable<string> files, long leastBytes)
    {
        long size = files.Where(File.Exists).Sum(file => new FileInfo(file).Length);
        if (size < leastBytes)
        {
            throw new TestingException($"no whole core: {size} bytes");
        }
    }
}

/// <summary>Nobody captures: the gaps that the machine makes by itself.</summary>
internal sealed class NobodyPeer() : Peer("no capture")
{
    private static readonly TimeSpan s_while = TimeSpan.FromSeconds(2);

    internal override async Task<CaptureRun> CaptureAsync(BenchmarkRun run, LiveProcess target)
    {
        await Task.Delay(s_while, run.Cancellation);
        return new CaptureRun { Elapsed = s_while };
    }
}

/// <summary>The target calls fork(2) itself: no core; what the kernel asks for in a snapshot by an image.</summary>
internal sealed class OwnForkPeer() : Peer("the target's own fork(2)")
{
    internal override async Task<CaptureRun> CaptureAsync(BenchmarkRun run, LiveProcess target)
    {
        var pause = TimeSpan.FromMicroseconds(TraceeAnswer.Number(await target.AskAsync("fork"), "fork_us"));
        return new CaptureRun { Elapsed = pause, ReportedPause = pause, Note = "one thread's wait; the others run" };
    }
}
