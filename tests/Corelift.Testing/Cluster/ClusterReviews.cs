using System.Text.Json.Nodes;

namespace Corelift.Testing.Cluster;

/// <summary>A right, as RBAC would give it.</summary>
/// <param name="User">Who.</param>
/// <param name="Verb">May do what.</param>
/// <param name="Resource">To what: processes, or processes/full.</param>
/// <param name="Namespace">In which namespace; "*" in all, and outside of them (a ClusterRoleBinding).</param>
/// <param name="Name">Which pod; "*" all.</param>
public sealed record ClusterRight(string User, string Verb, string Resource, string Namespace, string Name = "*");

/// <summary>What the API server answers to reviews and to requests for tokens.</summary>
internal static class ClusterReviews
{
    internal static JsonObject Token(ClusterTokens tokens, JsonObject request)
    {
        JsonNode spec = request["spec"]!;
        string[] audiences = [.. (spec["audiences"]?.AsArray() ?? []).Select(each => each!.GetValue<string>())];
        var known = tokens.Verify(spec["token"]!.GetValue<string>(), audiences.Length > 0 ? audiences : [ClusterTokens.ApiAudience]);
        request["status"] = known is { } found
            ? new JsonObject
            {
                ["authenticated"] = true,
                ["audiences"] = new JsonArray([.. found.Audiences.Select(each => JsonValue.Create(each))]),
                ["user"] = new JsonObject
                {
                    ["username"] = found.Subject,
                    ["uid"] = "uid-of-" + found.Subject,
                    ["groups"] = new JsonArray("system:serviceaccounts", $"system:serviceaccounts:{found.Subject.Split(':')[2]}", "system:authenticated"),
                    ["extra"] = new JsonObject { ["authentication.kubernetes.io/credential-id"] = new JsonArray($"JTI={found.TokenId}") },
                },
            }
            : new JsonObject { ["user"] = new JsonObject(), ["error"] = "[invalid bearer token, token audiences do not match]" };
        return request;
    }

    internal static JsonObject Access(IEnumerable<ClusterRight> rights, JsonObject request)
    {
        JsonNode spec = request["spec"]!;
        JsonNode wanted = spec["resourceAttributes"]!;
        string Text(string key) => wanted[key]?.GetValue<string>() ?? "";
        string resource = Text("subresource").Length > 0 ? $"{Text("resource")}/{Text("subresource")}" : Text("resource");
        bool allowed = Text("group") == "corelift.dev" && rights.Any(right =>
            right.User == spec["user"]!.GetValue<string>() && right.Verb == Text("verb") && right.Resource == resource
            && (right.Namespace == "*" || right.Namespace == Text("namespace")) && (right.Name == "*" || right.Name == Text("name")));
        request["status"] = allowed ? new JsonObject { ["allowed"] = true, ["reason"] = "RBAC: allowed" } : new JsonObject { ["allowed"] = false };
        return request;
    }

    internal static JsonObject NewToken(ClusterTokens tokens, string space, string account, JsonObject request)
    {
        JsonNode spec = request["spec"]!;
        TimeSpan lifetime = TimeSpan.FromSeconds(spec["expirationSeconds"]?.GetValue<long>() ?? 3600);
        request["status"] = new JsonObject
        {
            ["token"] = tokens.Issue(space, account, lifetime, [.. spec["audiences"]!.AsArray().Select(each => each!.GetValue<string>())]),
            ["expirationTimestamp"] = DateTimeOffset.UtcNow.Add(lifetime).ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture),
        };
        return request;
    }
}
