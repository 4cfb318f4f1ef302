using System.CommandLine;
using System.Globalization;
using Corelift.Agent.Access;
using Corelift.Agent.Access.Policy;
using Corelift.Capture;
using Corelift.Linux;
using Corelift.Linux.Procfs;

namespace Corelift.Agent.Hosting;

/// <summary>corelift-agent policy check FILE</summary>
internal static class PolicyCommand
{
    /// <summary>The question is answered with no, or cannot be answered.</summary>
    private const int Denied = 1;

    private static readonly Argument<string> s_file = new("FILE") { Description = "The policy file" };

    private static readonly Option<string?> s_as = new("--as")
    {
        Description = "Who asks: uid:1000[,gid:100,gid:27], cert:SUBJECT, spiffe://..., sa:NAMESPACE/NAME[,group:G], oidc:ISSUER[,CLAIM=VALUE], anonymous",
        HelpName = "IDENTITY",
    };

    private static readonly Option<string> s_verb = new("--verb")
    {
        Description = "What is asked for: inspect, stop, snapshot or snapshot-secrets",
        HelpName = "VERB",
        DefaultValueFactory = _ => "snapshot",
    };

    private static readonly Option<string> s_content = new("--content")
    {
        Description = "How much memory: registers-and-stacks, default or full",
        HelpName = "CONTENT",
        DefaultValueFactory = _ => "default",
    };

    private static readonly Option<int?> s_pid = new("--pid") { Description = "A process of this host as the target; its pod is not looked up", HelpName = "PID" };

    private static readonly Option<string?> s_target = new("--target")
    {
        Description = "A target in words: namespace=shop,container=api,label.app=web,uid=1000,executable=/usr/bin/app,cgroup=/...",
        HelpName = "TARGET",
    };

    /// <summary>The command.</summary>
    internal static Command Create()
    {
        var check = new Command("check", "Says what is wrong with a policy file, or, with --as, what it decides and by which rule") { s_file, s_as, s_verb, s_content, s_pid, s_target };
        check.SetAction(CheckAsync);
        return new Command("policy", "Looks at policy files; needs no agent and no privilege") { check };
    }

    private static async Task<int> CheckAsync(ParseResult result, CancellationToken cancellationToken)
    {
        TextWriter output = result.InvocationConfiguration.Output;
        TextWriter errors = result.InvocationConfiguration.Error;
        string path = result.GetValue(s_file)!;
        AccessPolicy policy;
        try
        {
            policy = PolicyReader.Load(path);
        }
        catch (PolicyException failure)
        {
            foreach (PolicyProblem problem in failure.Problems)
            {
                await errors.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{path}:{problem.Line}: {problem.Message}")).ConfigureAwait(false);
            }

            return ExitCodes.Configuration;
        }

        if (result.GetValue(s_as) is not { } who)
        {
            await output.WriteLineAsync($"{path}: {policy.Rules.Count} rules, nothing wrong").ConfigureAwait(false);
            return ExitCodes.Ok;
        }

        try
        {
            return await ExplainAsync(policy, who, result, output, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is FormatException or SyscallException)
        {
            await errors.WriteLineAsync("corelift-agent: " + failure.Message).ConfigureAwait(false);
            return ExitCodes.Usage;
        }
    }

    private static async Task<int> ExplainAsync(AccessPolicy policy, string who, ParseResult result, TextWriter output, CancellationToken cancellationToken)
    {
        Caller caller = PolicyQuestion.ParseCaller(who);
        AccessVerb verb = AccessVerbs.ByName.TryGetValue(result.GetValue(s_verb)!, out AccessVerb known)
            ? known
            : throw new FormatException($"there is no verb '{result.GetValue(s_verb)}': use inspect, stop, snapshot or snapshot-secrets");
        CaptureContent? content = verb is AccessVerb.Inspect or AccessVerb.Stop ? null : PolicyQuestion.ParseContent(result.GetValue(s_content)!);
        TargetIdentity target = result.GetValue(s_pid) is { } pid
            ? await ReadAsync(pid, cancellationToken).ConfigureAwait(false)
            : PolicyQuestion.ParseTarget(result.GetValue(s_target) ?? string.Empty);
        PolicyRule? decides = null;
        foreach (PolicyRule rule in policy.Rules)
        {
            string? refusal = rule.Refuses(caller, verb, content, target);
            decides ??= refusal is null ? rule : null;
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"  line {rule.Line}, {rule.Name}: {refusal ?? "gives it"}")).ConfigureAwait(false);
        }

        string asked = content is { } wanted ? $"{verb.ToName()} (content {wanted.ToString().ToLowerInvariant()})" : verb.ToName();
        if (decides is not null && verb is AccessVerb.Stop or AccessVerb.Snapshot && !target.IsDumpable)
        {
            decides = policy.Rules.FirstOrDefault(rule => rule.Refuses(caller, AccessVerb.SnapshotSecrets, content, target) is null);
            asked += ", of a process that is not dumpable (needs snapshot-secrets, too)";
        }

        await output.WriteLineAsync(decides is null ? $"denied: {caller} may not {asked}; no rule gives it" : $"allowed: {caller} may {asked}, by {decides.Name}").ConfigureAwait(false);
        return decides is null ? Denied : ExitCodes.Ok;
    }

    private static async Task<TargetIdentity> ReadAsync(int pid, CancellationToken cancellationToken)
    {
        using ProcessDirectory directory = ProcessDirectory.Open(pid);
        return await new TargetIdentityReader(new NoPodDirectory()).ReadAsync(directory, cancellationToken).ConfigureAwait(false);
    }
}
