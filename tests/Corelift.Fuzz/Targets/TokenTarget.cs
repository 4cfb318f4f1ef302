using System.Buffers.Text;
using System.Text;
using Corelift.Agent.Access.Tokens;
using Corelift.Agent.Kubernetes;
using Corelift.Fuzz.Engine;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.IdentityModel.Tokens;

namespace Corelift.Fuzz.Targets;

/// <summary>Tokens, which anybody can send, and key sets. The parts of a token stand in the clear; a byte 0 parts them.</summary>
internal sealed class TokenTarget : IFuzzTarget
{
    private const string Issuer = "https://issuer.test";
    private const string Keys = """{"keys":[{"kty":"EC","crv":"P-256","kid":"k","use":"sig","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}""";

    private static readonly JwtAuthenticator s_authenticator = new(new JwtRules(Issuer, ["corelift"]), new KnownKeys(), NullLogger.Instance);

    public static string Name => "token";

    public static IReadOnlyList<string> Words =>
    [
        "\"alg\":", "\"none\"", "\"HS256\"", "\"ES256\"", "\"kid\":", "\"aud\":", "\"exp\":", "\"iss\":\"https://issuer.test\"", "\"sub\":", "\"nbf\":", "\"groups\":", "[", "]", "{", "}", "\\ud800", "1e400",
        "\0", ".", "\"kty\":\"oct\"", "\"kty\":\"RSA\"", "\"n\":", "\"e\":\"AQAB\"", "\"x5c\":[\"", "\"use\":\"enc\"", "null", "true",
    ];

    public static IEnumerable<byte[]> Seeds
    {
        get
        {
            const string Header = """{"alg":"ES256","typ":"JWT","kid":"k"}""";
            const string Claims = """{"iss":"https://issuer.test","aud":["corelift","x"],"sub":"somebody","exp":32503680000,"nbf":1,"groups":["a","b"]}""";
            return [Encoding.UTF8.GetBytes($"\u0001{Header}\0{Claims}\0{new string('s', 64)}"), Encoding.UTF8.GetBytes("\u0002" + Keys), Encoding.UTF8.GetBytes("\u0000aGVsbG8.d29ybGQ.c2ln")];
        }
    }

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
        {
            return;
        }

        switch (input[0] % 3)
        {
            case 0:
                Read(Encoding.UTF8.GetString(input[1..]));
                break;
            case 1:
                List<string> parts = [];
                ReadOnlySpan<byte> rest = input[1..];
                foreach (Range part in rest.Split((byte)0))
                {
                    parts.Add(Base64Url.EncodeToString(rest[part]));
                }

                Read(string.Join('.', parts));
                break;
            default:
                ReadKeys(Encoding.UTF8.GetString(input[1..]));
                break;
        }
    }

    private static void Read(string token)
    {
        _ = TokenClaims.Read(token);
        if (s_authenticator.AuthenticateAsync(token, default).AsTask().GetAwaiter().GetResult() is { } caller)
        {
            throw new InvalidOperationException($"{caller.Name} was let in by a token that nobody signed");
        }
    }

    private static void ReadKeys(string json)
    {
        try
        {
            _ = KeySets.Parse(json);
        }
        catch (FormatException)
        {
            // What is documented.
        }
    }

    private sealed class KnownKeys : IIssuerKeys
    {
        private readonly IReadOnlyList<SecurityKey> _keys = KeySets.Parse(Keys);

        public ValueTask<IReadOnlyList<SecurityKey>> GetAsync(string? keyId, CancellationToken cancellationToken) => new(_keys);
    }
}
