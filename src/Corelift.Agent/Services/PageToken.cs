using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;

namespace Corelift.Agent.Services;

/// <summary>Which list a page token belongs to.</summary>
internal enum PageKind : byte
{
    /// <summary>Processes, by pid.</summary>
    Processes = 1,

    /// <summary>Tasks, by tid.</summary>
    Threads = 2,

    /// <summary>VMAs, by first address.</summary>
    Vmas = 3,
}

/// <summary>
/// Where the next page begins: after the last key of the page before. Lists are in order of a key that is not given twice
/// at a time, so what comes and goes between two pages shifts nothing. Opaque to clients: kind and key, in base64url.
/// </summary>
internal static class PageToken
{
    private const int LengthBytes = 1 + sizeof(ulong);

    /// <summary>A token for the page after <paramref name="lastKey"/>.</summary>
    internal static string Write(PageKind kind, ulong lastKey)
    {
        Span<byte> bytes = stackalloc byte[LengthBytes];
        bytes[0] = (byte)kind;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[1..], lastKey);
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>The last key of the page before, or null for the first page.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: not a token of this list.</exception>
    internal static ulong? Read(PageKind kind, string token)
    {
        if (token.Length == 0)
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[LengthBytes];
        return token.Length == Base64Url.GetEncodedLength(LengthBytes)
            && Base64Url.DecodeFromChars(token, bytes, out _, out int length) == OperationStatus.Done && length == LengthBytes && bytes[0] == (byte)kind
            ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[1..])
            : throw RpcErrors.InvalidField("page_token", "must be empty, or the next_page_token of an answer to the same call");
    }

    /// <summary>Size of a page: the default where none is asked for, the maximum where more is.</summary>
    internal static int Size(uint asked, int usual, int most) => asked == 0 ? usual : (int)Math.Min(asked, (uint)most);
}
