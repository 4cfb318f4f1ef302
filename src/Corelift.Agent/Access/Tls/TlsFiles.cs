namespace Corelift.Agent.Access.Tls;

/// <summary>The files of the TLS doors.</summary>
/// <param name="Certificate">The server's certificate (PEM), and after it those between it and its CA.</param>
/// <param name="Key">Its private key (PEM, not encrypted).</param>
/// <param name="ClientCa">CAs whose client certificates are taken (PEM, any number); null where clients come with tokens alone.</param>
internal sealed record TlsFiles(string Certificate, string Key, string? ClientCa)
{
    /// <summary>All of them.</summary>
    internal IEnumerable<string> Paths => ClientCa is null ? [Certificate, Key] : [Certificate, Key, ClientCa];
}
