using Corelift.Agent.Access;
using Corelift.Capture;

namespace Corelift.Agent.Kubernetes;

/// <summary>
/// Rights of service accounts, by the cluster's own rules (SubjectAccessReview) on a resource that exists nowhere else:
/// <c>processes</c> of group <c>corelift.dev</c>, in the namespace and with the name of the pod. Processes outside pods, and
/// calls that name no process, are asked for without a namespace: only a ClusterRoleBinding gives those. Content is a
/// subresource: <c>processes</c> is what the kernel would dump and less, <c>processes/stacks</c> stacks alone,
/// <c>processes/full</c> everything.
/// </summary>
internal sealed class SubjectAccessReviewRights(ApiClient api, ApiQuestions questions, TimeProvider clock) : IRightsSource
{
    private const string Group = "corelift.dev";
    private const string Resource = "processes";
    private const string Stacks = "stacks";
    private const string Full = "full";
    private const int MaxRemembered = 4096;
    private static readonly TimeSpan s_remembered = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_rememberedRefusal = TimeSpan.FromSeconds(2);

    private readonly ShortCache<Question, bool> _answers = new(MaxRemembered, clock);

    /// <inheritdoc/>
    public async ValueTask<bool> AllowsAsync(
        Caller caller, AccessVerb verb, CaptureContent? content, TargetIdentity? target, CancellationToken cancellationToken)
    {
        if (caller.Kind != CallerKind.ServiceAccount)
        {
            return false;
        }

        (string space, string pod) = target?.Pod is { } identity ? (identity.Namespace, identity.Name) : (string.Empty, string.Empty);
        foreach (string? subresource in Subresources(content))
        {
            var question = new Question(caller, Spell(verb), subresource, space, pod);
            if (await _answers.GetAsync(question, () => AskAsync(question), allowed => Lifetime(question, allowed), cancellationToken).ConfigureAwait(false))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>How RBAC spells a verb.</summary>
    internal static string Spell(AccessVerb verb) => verb switch
    {
        AccessVerb.Inspect => "inspect",
        AccessVerb.Stop => "stop",
        AccessVerb.Snapshot => "snapshot",
        AccessVerb.SnapshotSecrets => "snapshot-secrets",
        _ => throw new ArgumentOutOfRangeException(nameof(verb), verb, "no verb"),
    };

    /// <summary>The right to more is the right to less; the usual one is asked for first.</summary>
    private static string?[] Subresources(CaptureContent? content) => content switch
    {
        null => [null],
        CaptureContent.Stacks => [null, Stacks, Full],
        CaptureContent.Default => [null, Full],
        _ => [Full],
    };

    /// <summary>A right to everything, or to secrets, is asked for each time: it ends the moment that it is taken away.</summary>
    private static TimeSpan Lifetime(Question question, bool allowed) =>
        question.Subresource == Full || question.Verb == "snapshot-secrets" ? TimeSpan.Zero : allowed ? s_remembered : s_rememberedRefusal;

    private async Task<bool> AskAsync(Question question)
    {
        Caller caller = question.Caller;
        var access = new SubjectAccessReviewSpec(
            new ResourceAttributes(question.Namespace, question.Verb, Group, Resource, question.Subresource, question.Pod),
            caller.Name,
            caller.Claims.GetValueOrDefault(TokenReviewAuthenticator.UidClaim) is [string uid, ..] ? uid : null,
            caller.GroupNames,
            caller.Claims.Where(claim => claim.Key != TokenReviewAuthenticator.UidClaim).ToDictionary());
        SubjectAccessReviewStatus status = await questions
            .AskAsync($"whether {caller.Name} may {question.Verb}", cancellationToken => api.ReviewAccessAsync(access, cancellationToken)).ConfigureAwait(false);
        return status is { Allowed: true, Denied: not true };
    }

    /// <summary>One question; callers of two reviews are two, as a token that was renewed may have other groups.</summary>
    private sealed record Question(Caller Caller, string Verb, string? Subresource, string Namespace, string Pod);
}
