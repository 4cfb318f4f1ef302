namespace Corelift.Agent.Access.Tokens;

/// <summary>An OpenID Connect issuer whose tokens are taken.</summary>
/// <param name="Uri">Where it is.</param>
/// <param name="Issuer">What its tokens call it, letter by letter.</param>
/// <param name="Audiences">What its tokens must be for; at least one.</param>
/// <param name="KeyFile">Its keys; null to fetch them.</param>
/// <param name="CaFile">CAs of its server; null for those of the host.</param>
internal sealed record OidcOptions(Uri Uri, string Issuer, IReadOnlyList<string> Audiences, string? KeyFile, string? CaFile);
