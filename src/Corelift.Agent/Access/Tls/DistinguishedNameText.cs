using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Corelift.Agent.Access.Tls;

/// <summary>Distinguished names as RFC 4514 writes them, in one spelling only: rules of a policy are compared with it.</summary>
internal static class DistinguishedNameText
{
    // RFC 4514, section 3; other attributes are written by their OID.
    private static readonly Dictionary<string, string> s_names = new()
    {
        ["2.5.4.3"] = "CN",
        ["2.5.4.7"] = "L",
        ["2.5.4.8"] = "ST",
        ["2.5.4.10"] = "O",
        ["2.5.4.11"] = "OU",
        ["2.5.4.6"] = "C",
        ["2.5.4.9"] = "STREET",
        ["0.9.2342.19200300.100.1.25"] = "DC",
        ["0.9.2342.19200300.100.1.1"] = "UID",
    };

    /// <summary>Most specific part first, no spaces between them: <c>CN=alice,OU=ops,O=Example</c>. Empty for an empty name.</summary>
    /// <exception cref="CryptographicException">The name is malformed.</exception>
    internal static string Write(X500DistinguishedName name)
    {
        try
        {
            var parts = new List<string>();
            AsnReader sequence = new AsnReader(name.RawData, AsnEncodingRules.DER).ReadSequence();
            while (sequence.HasData)
            {
                AsnReader set = sequence.ReadSetOf(skipSortOrderValidation: true);
                var elements = new List<string>();
                while (set.HasData)
                {
                    elements.Add(WriteElement(set.ReadSequence()));
                }

                parts.Insert(0, string.Join('+', elements));
            }

            return string.Join(',', parts);
        }
        catch (AsnContentException failure)
        {
            throw new CryptographicException("the certificate's subject is malformed", failure);
        }
    }

    private static string WriteElement(AsnReader element)
    {
        string oid = element.ReadObjectIdentifier();
        Asn1Tag tag = element.PeekTag();
        if (!s_names.TryGetValue(oid, out string? name) || tag.TagClass != TagClass.Universal)
        {
            return $"{oid}=#{Convert.ToHexStringLower(element.ReadEncodedValue().Span)}";
        }

        UniversalTagNumber type = (UniversalTagNumber)tag.TagValue;
        return type is UniversalTagNumber.UTF8String or UniversalTagNumber.PrintableString or UniversalTagNumber.IA5String
            or UniversalTagNumber.T61String or UniversalTagNumber.BMPString
            ? $"{name}={Escape(element.ReadCharacterString(type))}"
            : $"{name}=#{Convert.ToHexStringLower(element.ReadEncodedValue().Span)}";
    }

    private static string Escape(string value)
    {
        var safe = new StringBuilder(value.Length + 8);
        for (int i = 0; i < value.Length; i++)
        {
            char letter = value[i];
            bool isEdge = (i == 0 && letter is ' ' or '#') || (i == value.Length - 1 && letter == ' ');
            _ = char.IsControl(letter)
                ? safe.Append(string.Concat(Encoding.UTF8.GetBytes([letter]).Select(octet => $"\\{octet:x2}")))
                : isEdge || "\"+,;<>\\".Contains(letter, StringComparison.Ordinal) ? safe.Append('\\').Append(letter) : safe.Append(letter);
        }

        return safe.ToString();
    }
}
