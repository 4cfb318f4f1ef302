using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.IdentityModel.Tokens;

namespace Corelift.Agent.Access.Tokens;

/// <summary>Where the public keys of an issuer come from.</summary>
internal interface IIssuerKeys
{
    /// <summary>Its keys, looked for anew where none has this id.</summary>
    /// <param name="keyId">Id that a token names; null where it names none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AccessUnavailableException">They are not known, or too old.</exception>
    ValueTask<IReadOnlyList<SecurityKey>> GetAsync(string? keyId, CancellationToken cancellationToken);
}

/// <summary>Reads key sets (RFC 7517).</summary>
internal static class KeySets
{
    private const int MostKeys = 64;

    /// <summary>The public keys of a set that signatures can be checked with. Symmetric ones are left out: nobody may sign with what we know.</summary>
    /// <exception cref="FormatException">It is no key set.</exception>
    internal static IReadOnlyList<SecurityKey> Parse(string json)
    {
        try
        {
            SecurityKey[] keys = [.. new JsonWebKeySet(json).GetSigningKeys().Where(key => key is RsaSecurityKey or ECDsaSecurityKey or X509SecurityKey)];
            return keys.Length is > 0 and <= MostKeys ? keys : throw new FormatException($"it holds {keys.Length} public keys for signatures; there must be 1 to {MostKeys}");
        }
        catch (Exception failure) when (failure is ArgumentException or JsonException or CryptographicException or InvalidOperationException)
        {
            throw new FormatException("it is no JSON web key set: " + failure.Message, failure);
        }
    }

    /// <summary>Whether one of the keys has the id. A token without an id is tried with all.</summary>
    internal static bool Know(IReadOnlyList<SecurityKey> keys, string? keyId) => keyId is null ? keys.Count > 0 : keys.Any(key => key.KeyId == keyId);
}

/// <summary>Keys from a file, read again when it changes.</summary>
internal sealed class IssuerKeyFile(string path, ILogger logger) : IIssuerKeys
{
    private readonly Lock _lock = new();
    private FileStamp _stamp;
    private IReadOnlyList<SecurityKey> _keys = [];
    private string? _problem;

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<SecurityKey>> GetAsync(string? keyId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            FileStamp now = FileStamp.Of([path]);
            if (now != _stamp || _problem is not null)
            {
                Read(now);
            }

            return _keys.Count > 0
                ? ValueTask.FromResult(_keys)
                : throw new AccessUnavailableException($"the issuer's keys in {path} cannot be used: {_problem}");
        }
    }

    private void Read(FileStamp now)
    {
        try
        {
            _keys = KeySets.Parse(File.ReadAllText(path));
            _problem = null;
            _stamp = now;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or FormatException)
        {
            if (_problem != failure.Message)
            {
                _problem = failure.Message;
                logger.IssuerKeysNotTaken(AgentLog.Escape(path), AgentLog.Escape(failure.Message));
            }
        }
    }
}

/// <summary>What certificates of the issuer's server are held against.</summary>
internal static class IssuerTrust
{
    /// <summary>The host's CAs, or those of a file alone.</summary>
    /// <exception cref="CryptographicException">The file holds no certificate.</exception>
    internal static SslClientAuthenticationOptions Options(string? caFile)
    {
        if (caFile is null)
        {
            return new SslClientAuthenticationOptions();
        }

        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.ImportFromPemFile(caFile);
        return policy.CustomTrustStore.Count > 0
            ? new SslClientAuthenticationOptions { CertificateChainPolicy = policy }
            : throw new CryptographicException($"{caFile} holds no certificate");
    }
}
