using Corelift.Linux.Procfs;

namespace Corelift.Capture;

/// <summary>
/// Decides about a target that is seized and runs: from here to the stop its pid cannot become another process's, and a call
/// of execve is noticed. Throws where it is not to be stopped; what it throws reaches the caller of the engine. It may take up
/// to <see cref="CaptureEngineOptions.DecisionPatience"/>, but every signal to the target is delayed by up to a few
/// milliseconds meanwhile.
/// </summary>
/// <param name="target">
/// The target's directory, opened before the seize: what can still be read through it is the seized process, and no other.
/// </param>
/// <param name="isFirst">False before the second stop of strategy precopy, which stops twice.</param>
/// <param name="cancellationToken">Gives up.</param>
/// <returns>What the decision rests on, and what must still be so when every task has stopped.</returns>
public delegate ValueTask<Approval> ApproveTarget(ProcessDirectory target, bool isFirst, CancellationToken cancellationToken);

/// <summary>What a decision rests on that a process can change without an execve.</summary>
/// <param name="Uids">Its uids.</param>
/// <param name="IsDumpable">Whether its /proc files belonged to its effective user.</param>
public readonly record struct Approval(Credentials Uids, bool IsDumpable);

/// <summary>Which memory its owner marked as secret, and whether it is captured all the same.</summary>
public sealed record SecretMemory
{
    /// <summary>Most bytes that the names may have together, a separator after each.</summary>
    public const int MostNameBytes = 480;

    /// <summary>Nothing but MADV_DONTDUMP is secret, and it is left out.</summary>
    public static SecretMemory Usual { get; } = new();

    /// <summary>Whether secret memory is captured, too.</summary>
    public bool IsIncluded { get; init; }

    /// <summary>Names of VMAs that are secret, beside what has MADV_DONTDUMP; <c>*</c> stands for any text.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];
}
