using System.Globalization;
using Corelift.Capture;
using Corelift.Linux;

namespace Corelift.Agent.Access.Policy;

/// <summary>Identities and targets as somebody types them who asks what a policy decides.</summary>
internal static class PolicyQuestion
{
    /// <exception cref="FormatException">No identity.</exception>
    internal static Caller ParseCaller(string text)
    {
        string[] parts = text.Split(',');
        string first = parts[0];
        if (first == "anonymous")
        {
            return new Caller(CallerKind.Anonymous, first);
        }

        if (first.StartsWith("uid:", StringComparison.Ordinal))
        {
            uint[] gids = [.. parts.Skip(1).Select(part => Number(part, "gid:"))];
            return new Caller(CallerKind.UnixPeer, first) { Uid = Number(first, "uid:"), Gid = gids.Length > 0 ? gids[0] : null, Groups = gids };
        }

        if (text.StartsWith("cert:", StringComparison.Ordinal))
        {
            return new Caller(CallerKind.Certificate, text) { CertificateSubject = text["cert:".Length..] };
        }

        if (text.StartsWith("spiffe://", StringComparison.Ordinal))
        {
            return new Caller(CallerKind.Certificate, text) { SpiffeId = text };
        }

        if (first.StartsWith("sa:", StringComparison.Ordinal))
        {
            string account = first["sa:".Length..];
            return new Caller(CallerKind.ServiceAccount, "system:serviceaccount:" + account.Replace('/', ':'))
            {
                ServiceAccount = account,
                GroupNames = [.. parts.Skip(1).Select(part => After(part, "group:"))],
            };
        }

        if (first.StartsWith("oidc:", StringComparison.Ordinal))
        {
            var claims = parts.Skip(1).Select(part => part.Split('=', 2)).ToLookup(pair => pair[0], pair => pair[^1], StringComparer.Ordinal);
            return new Caller(CallerKind.Token, first)
            {
                Issuer = first["oidc:".Length..],
                Claims = claims.ToDictionary(group => group.Key, IReadOnlyList<string> (group) => [.. group]),
            };
        }

        throw new FormatException($"'{text}' is no identity: write uid:1000, cert:SUBJECT, spiffe://..., sa:NAMESPACE/NAME, oidc:ISSUER or anonymous");
    }

    /// <exception cref="FormatException">No content.</exception>
    internal static CaptureContent ParseContent(string text) => text switch
    {
        "registers-and-stacks" or "stacks" => CaptureContent.Stacks,
        "default" => CaptureContent.Default,
        "full" => CaptureContent.Full,
        _ => throw new FormatException($"there is no content '{text}': use registers-and-stacks, default or full"),
    };

    /// <exception cref="FormatException">No target.</exception>
    internal static TargetIdentity ParseTarget(string text)
    {
        var target = new TargetIdentity(new ProcessRef(0, 0)) { Uids = [], Executable = string.Empty, Cgroup = string.Empty, IsDumpable = true };
        var pod = new PodIdentity { Namespace = string.Empty, Name = string.Empty, Uid = string.Empty, Container = string.Empty };
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        bool hasPod = false;
        foreach (string[] pair in text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(part => part.Split('=', 2)))
        {
            string value = pair[^1];
            hasPod |= pair[0] is "namespace" or "container" || pair[0].StartsWith("label.", StringComparison.Ordinal);
            switch (pair[0])
            {
                case "namespace":
                    pod = pod with { Namespace = value };
                    break;
                case "container":
                    pod = pod with { Container = value };
                    break;
                case "uid":
                    uint uid = Number(value, string.Empty);
                    target = target with { Uids = [uid, uid, uid, uid] };
                    break;
                case "executable":
                    target = target with { Executable = value };
                    break;
                case "cgroup":
                    target = target with { Cgroup = value };
                    break;
                case "dumpable":
                    target = target with { IsDumpable = value != "false" };
                    break;
                case { } label when label.StartsWith("label.", StringComparison.Ordinal):
                    labels[label["label.".Length..]] = value;
                    break;
                default:
                    throw new FormatException($"'{pair[0]}' says nothing of a target: use namespace, container, label.NAME, uid, executable, cgroup, dumpable");
            }
        }

        return hasPod ? target with { Pod = pod with { Labels = labels } } : target;
    }

    private static uint Number(string text, string prefix) =>
        uint.TryParse(After(text, prefix), NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
            ? number
            : throw new FormatException($"'{text}' has no number behind '{prefix}'");

    private static string After(string text, string prefix) => text.StartsWith(prefix, StringComparison.Ordinal)
        ? text[prefix.Length..]
        : throw new FormatException($"'{text}' does not begin with '{prefix}'");
}
