using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Corelift.Capture;

namespace Corelift.Agent.Access.Policy;

/// <summary>Reads policy files: JSON with comments. Everything is checked; a name that is not known makes the file unusable.</summary>
internal static class PolicyReader
{
    private const string RightsRemedy = "write \"inspect\", \"stop\", \"snapshot\" or \"snapshot-secrets\"";

    /// <summary>Reads a file.</summary>
    /// <exception cref="PolicyException">It cannot be read, or something in it is wrong; all that is wrong is said.</exception>
    internal static AccessPolicy Load(string path)
    {
        try
        {
            return Parse(File.ReadAllBytes(path));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new PolicyException([new PolicyProblem(1, $"the file cannot be read: {failure.Message}")]);
        }
    }

    /// <summary>Reads the bytes of a file.</summary>
    /// <exception cref="PolicyException">Something in it is wrong; all that is wrong is said.</exception>
    internal static AccessPolicy Parse(ReadOnlySpan<byte> bytes)
    {
        var problems = new List<PolicyProblem>();
        var file = new PolicyFields(JsonText.Parse(bytes), "the policy", problems, "version", "rules", "limits", "secrets", "optOut", "reason", "audit");
        if (file.Require("version", "write \"version\": 1") is { } version && version.Text != "1")
        {
            file.Note(version.Line, $"\"version\" is {version.Describe()}: this agent knows version 1");
        }

        _ = file.Require("rules", "write a list of rules; an empty one denies everything");
        IReadOnlyList<JsonText> rules = file.Get("rules") is { Kind: JsonTokenType.StartArray } list ? list.Items : file.List("rules", "write a list of rules");
        AccessPolicy policy = new()
        {
            Rules = [.. rules.Select((rule, index) => ReadRule(rule, index, problems)).OfType<PolicyRule>()],
        };
        policy = ReadRest(policy, file, problems);
        return problems.Count == 0 ? policy : throw new PolicyException([.. problems.OrderBy(problem => problem.Line)]);
    }

    private static PolicyRule? ReadRule(JsonText value, int index, List<PolicyProblem> problems)
    {
        int before = problems.Count;
        var rule = new PolicyFields(value, "a rule", problems, "name", "who", "verbs", "content", "targets");
        _ = rule.Require("who", "write a list of identities, such as [{ \"uid\": 1000 }]");
        _ = rule.Require("verbs", RightsRemedy);
        JsonText? targets = rule.Require("targets", "write a list of targets, such as [{ \"namespace\": \"shop\" }], or \"all\"");
        IdentityPattern[] who = [.. rule.List("who", "write a list of identities").Select(item => ReadIdentity(item, problems))];
        HashSet<AccessVerb> verbs = [];
        foreach (string name in rule.Texts("verbs"))
        {
            if (AccessVerbs.ByName.TryGetValue(name, out AccessVerb verb))
            {
                verbs.Add(verb);
            }
            else
            {
                rule.Note(rule.Get("verbs")!.Line, $"there is no verb \"{name}\": {RightsRemedy}");
            }
        }

        TargetPattern[]? patterns = targets is null or { Kind: JsonTokenType.String, Text: "all" }
            ? null
            : [.. rule.List("targets", "write a list of targets, or \"all\"").Select(item => ReadTarget(item, problems))];
        CaptureContent content = ReadContent(rule, verbs);
        string ruleName = rule.Text("name") ?? $"rule {index + 1}";
        return problems.Count == before ? new PolicyRule(ruleName, value.Line, who, verbs, content, patterns) : null;
    }

    private static CaptureContent ReadContent(PolicyFields rule, HashSet<AccessVerb> verbs)
    {
        if (!rule.Has("content"))
        {
            if (verbs.Contains(AccessVerb.Snapshot) || verbs.Contains(AccessVerb.SnapshotSecrets))
            {
                rule.Note(rule.Line, "\"content\" is missing: write the most that may be captured, \"registers-and-stacks\", \"default\" or \"full\"");
            }

            return CaptureContent.Stacks;
        }

        switch (rule.Text("content"))
        {
            case "registers-and-stacks" or "stacks":
                return CaptureContent.Stacks;
            case "default":
                return CaptureContent.Default;
            case "full":
                return CaptureContent.Full;
            case { } other:
                rule.Note(rule.Get("content")!.Line, $"there is no content \"{other}\": write \"registers-and-stacks\", \"default\" or \"full\"");
                break;
        }

        return CaptureContent.Stacks;
    }

    private static IdentityPattern ReadIdentity(JsonText value, List<PolicyProblem> problems)
    {
        var who = new PolicyFields(
            value, "an identity", problems, "uid", "gid", "subject", "spiffe", "serviceAccount", "group", "issuer", "claims", "anonymous");
        if (value is { Kind: JsonTokenType.StartObject, Members.Count: 0 })
        {
            who.Note(value.Line, "an identity says nothing, and would fit everybody: write what it is, such as { \"uid\": 1000 }");
        }

        string? spiffe = who.Text("spiffe");
        if (spiffe is not null && !IsSpiffePattern(spiffe))
        {
            who.Note(who.Get("spiffe")!.Line, $"\"{spiffe}\" is no SPIFFE ID: write spiffe://TRUST-DOMAIN/PATH; one * may stand at its end, after the first / of the path");
        }

        string? account = who.Text("serviceAccount");
        if (account is not null && (account.Split('/') is not [{ Length: > 0 }, { Length: > 0 }] || account.Contains('*', StringComparison.Ordinal)))
        {
            who.Note(who.Get("serviceAccount")!.Line, $"\"{account}\" is no service account: write NAMESPACE/NAME");
        }

        if (who.Has("claims") && !who.Has("issuer"))
        {
            who.Note(who.Get("claims")!.Line, "\"claims\" without \"issuer\" would take the word of any issuer: name the issuer, too");
        }

        return new IdentityPattern
        {
            Uid = who.Id("uid"),
            Gid = who.Id("gid"),
            CertificateSubject = who.Text("subject"),
            SpiffeId = spiffe,
            ServiceAccount = account,
            Group = who.Text("group"),
            Issuer = who.Text("issuer"),
            Claims = who.Map("claims"),
            IsAnonymous = who.Flag("anonymous") ?? false,
        };
    }

    private static bool IsSpiffePattern(string text)
    {
        const string Scheme = "spiffe://";
        int path = text.StartsWith(Scheme, StringComparison.Ordinal) ? text.IndexOf('/', Scheme.Length) : -1;
        int star = text.IndexOf('*', StringComparison.Ordinal);
        return path > Scheme.Length && (star < 0 || (star == text.Length - 1 && star > path));
    }

    private static TargetPattern ReadTarget(JsonText value, List<PolicyProblem> problems)
    {
        var target = new PolicyFields(value, "a target", problems, "namespace", "labels", "container", "uid", "executable", "cgroup");
        if (value is { Kind: JsonTokenType.StartObject, Members.Count: 0 })
        {
            target.Note(value.Line, "a target says nothing, and would fit all: write what it is, or \"targets\": \"all\" where that is meant");
        }

        foreach (string path in target.Texts("executable").Concat(target.Texts("cgroup")).Where(path => path[0] is not ('/' or '*')))
        {
            target.Note(value.Line, $"\"{path}\" is no absolute path: begin it with / or *");
        }

        return new TargetPattern
        {
            Namespaces = target.Texts("namespace"),
            Labels = target.Map("labels"),
            Containers = target.Texts("container"),
            Uids = target.Ids("uid"),
            Executables = target.Texts("executable"),
            Cgroups = target.Texts("cgroup"),
        };
    }

    private static AccessPolicy ReadRest(AccessPolicy policy, PolicyFields file, List<PolicyProblem> problems)
    {
        PolicyFields? Part(string name, params string[] known) =>
            file.Get(name) is { } value ? new PolicyFields(value, $"\"{name}\"", problems, known) : null;

        PolicyFields? limits = Part("limits", "perIdentity", "perTarget");
        PolicyFields? secrets = Part("secrets", "vmaNames");
        PolicyFields? optOut = Part("optOut", "keys", "value");
        PolicyFields? reason = Part("reason", "required");
        PolicyFields? audit = Part("audit", "required", "fileBytes", "redact");
        policy = policy with
        {
            PerIdentity = ReadLimits(limits?.Get("perIdentity"), problems, false),
            PerTarget = ReadLimits(limits?.Get("perTarget"), problems, true),
            SecretNames = secrets?.Texts("vmaNames") ?? [],
            OptOutKeys = optOut is not null && optOut.Has("keys") ? optOut.Texts("keys") : policy.OptOutKeys,
            OptOutValue = optOut?.Text("value") ?? policy.OptOutValue,
            RequiresReason = reason?.Flag("required") ?? false,
            RequiresAudit = audit?.Flag("required") ?? true,
            AuditFileBytes = audit?.Size("fileBytes") ?? policy.AuditFileBytes,
            Redactions = audit?.Texts("redact") ?? [],
        };
        if (policy.SecretNames.Sum(name => Encoding.UTF8.GetByteCount(name) + 1) > SecretMemory.MostNameBytes)
        {
            secrets!.Note(secrets.Line, $"\"vmaNames\" are longer than {SecretMemory.MostNameBytes} bytes together: use fewer, with *");
        }

        if (policy.AuditFileBytes < 64 << 10)
        {
            audit!.Note(audit.Line, "\"fileBytes\" is less than 64KiB: a file would hold a few records");
        }

        foreach (string pattern in policy.Redactions)
        {
            try
            {
                _ = new Regex(pattern, RegexOptions.CultureInvariant);
            }
            catch (ArgumentException failure)
            {
                audit!.Note(audit.Line, $"\"{pattern}\" is no regular expression: {failure.Message}");
            }
        }

        return policy;
    }

    private static RateLimits ReadLimits(JsonText? value, List<PolicyProblem> problems, bool ofTarget)
    {
        if (value is null)
        {
            return new RateLimits();
        }

        string[] known = ofTarget
            ? ["stopsPerMinute", "stoppedPerMinute", "bytesPerHour", "coolDown"]
            : ["stopsPerMinute", "stoppedPerMinute", "bytesPerHour", "coolDown", "atOnce"];
        var limits = new PolicyFields(value, "a limit", problems, known);
        return new RateLimits
        {
            StopsPerMinute = limits.Count("stopsPerMinute"),
            StoppedPerMinute = limits.Time("stoppedPerMinute"),
            BytesPerHour = limits.Size("bytesPerHour"),
            CoolDown = limits.Time("coolDown"),
            AtOnce = ofTarget ? null : limits.Count("atOnce"),
        };
    }
}
