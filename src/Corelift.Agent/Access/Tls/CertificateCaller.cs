using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;

namespace Corelift.Agent.Access.Tls;

/// <summary>Whose a client certificate is. Its chain was verified before.</summary>
internal static partial class CertificateCaller
{
    private const string AlternativeNames = "2.5.29.17"; // id-ce-subjectAltName
    private const int UriTag = 6;                         // GeneralName: uniformResourceIdentifier [6] IA5String
    private const int MaxSpiffeBytes = 2048;              // SPIFFE-ID, section 2.3

    /// <summary>The caller, named by its SPIFFE ID if it has one, else by its subject.</summary>
    /// <exception cref="CryptographicException">The subject or the alternative names are malformed.</exception>
    internal static Caller Read(X509Certificate2 certificate)
    {
        string subject = DistinguishedNameText.Write(certificate.SubjectName);
        string? spiffeId = FindSpiffeId(certificate);
        return new Caller(CallerKind.Certificate, CallerNames.Bound(spiffeId ?? "cert:" + subject))
        {
            CertificateSubject = subject,
            SpiffeId = spiffeId,
            ExpiresAt = new DateTimeOffset(certificate.NotAfter),
        };
    }

    /// <summary>
    /// The SPIFFE ID: the one URI among the alternative names. With several URIs (X.509-SVID, section 2), a CA's certificate, or an
    /// ID that does not keep to the standard's letters, there is none.
    /// </summary>
    private static string? FindSpiffeId(X509Certificate2 certificate)
    {
        bool isCa = certificate.Extensions.OfType<X509BasicConstraintsExtension>().Any(basic => basic.CertificateAuthority);
        return !isCa && ReadUris(certificate) is [{ Length: <= MaxSpiffeBytes } uri] && SpiffeId().IsMatch(uri) ? uri : null;
    }

    private static List<string> ReadUris(X509Certificate2 certificate)
    {
        try
        {
            var uris = new List<string>();
            foreach (X509Extension extension in certificate.Extensions.Where(extension => extension.Oid?.Value == AlternativeNames))
            {
                AsnReader names = new AsnReader(extension.RawData, AsnEncodingRules.DER).ReadSequence();
                while (names.HasData)
                {
                    var uri = new Asn1Tag(TagClass.ContextSpecific, UriTag);
                    if (names.PeekTag().HasSameClassAndValue(uri))
                    {
                        uris.Add(names.ReadCharacterString(UniversalTagNumber.IA5String, uri));
                    }
                    else
                    {
                        _ = names.ReadEncodedValue();
                    }
                }
            }

            return uris;
        }
        catch (AsnContentException failure)
        {
            throw new CryptographicException("the certificate's alternative names are malformed", failure);
        }
    }

    // SPIFFE-ID, section 2: a trust domain, and segments that are neither empty nor dots.
    [GeneratedRegex(@"^spiffe://[a-z0-9._-]{1,255}(/(?!\.{1,2}(/|\z))[A-Za-z0-9._-]+)*\z")]
    private static partial Regex SpiffeId();
}
