using System.Text;
using Corelift.Agent.Access.Policy;
using Corelift.Fuzz.Engine;

namespace Corelift.Fuzz.Targets;

/// <summary>Policy files.</summary>
internal sealed class PolicyTarget : IFuzzTarget
{
    public static string Name => "policy";

    public static IReadOnlyList<string> Words =>
    [
        "\"rules\":", "\"who\":", "\"verbs\":", "\"targets\":", "\"all\"", "\"inspect\"", "\"snapshot-secrets\"", "\"uid\":", "\"gid\":", "\"namespace\":", "\"limits\":", "\"secrets\":", "\"vmaNames\":", "\"optOut\":", "\"reason\":",
        "\"audit\":", "\"content\":", "\"full\"", "// x\n", "/*", "*/", "[", "]", "{", "}", ",", "\\ud800", "\"*\"", "1e400", "null", "\uFEFF", "\"name\":", "\"token\":", "\"claims\":", "\"labels\":", "!",
    ];

    public static IEnumerable<byte[]> Seeds =>
    [
        Encoding.UTF8.GetBytes(
            """
            {
              "version": 1, // comment
              "rules": [
                { "name": "own", "who": [{ "uid": 1000 }, { "gid": 5 }], "verbs": ["inspect", "stop", "snapshot"], "content": "default", "targets": [{ "uid": 1000 }] },
                { "name": "all", "who": [{ "uid": 0 }], "verbs": ["snapshot-secrets"], "content": "full", "targets": "all" },
              ],
              "secrets": { "vmaNames": ["*[heap]*"] },
            }
            """),
        Encoding.UTF8.GetBytes(
            """{ "version": 1, "rules": [{ "who": [{ "spiffe": "spiffe://a/*" }], "verbs": ["inspect"], "targets": [{ "namespace": "shop", "executable": "/usr/*" }] }], "limits": { "stopsPerMinute": 4 }, "audit": { "maxBytes": "1MiB" } }"""),
    ];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        try
        {
            _ = PolicyReader.Parse(input);
        }
        catch (PolicyException)
        {
            // What is documented.
        }
    }
}
