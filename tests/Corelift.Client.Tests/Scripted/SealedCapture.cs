using Corelift.Sealing;
using Corelift.V1;
using Google.Protobuf;

namespace Corelift.Client.Tests.Scripted;

/// <summary>Captures as an agent seals them: each message behind its length, all in one age file.</summary>
public static class SealedCapture
{
    /// <summary>The sealed file.</summary>
    public static async Task<byte[]> SealAsync(IEnumerable<CaptureResponse> messages, params AgeIdentity[] identities)
    {
        using MemoryStream plain = new();
        foreach (CaptureResponse message in messages)
        {
            message.WriteDelimitedTo(plain);
        }

        return await SealAsync(plain.ToArray(), identities);
    }

    /// <summary>Any bytes, sealed.</summary>
    public static async Task<byte[]> SealAsync(byte[] plain, params AgeIdentity[] identities)
    {
        using MemoryStream file = new();
        using AgeWriter writer = new(
            [.. identities.Select(identity => identity.Recipient)], async (part, cancellation) => await file.WriteAsync(part, cancellation));
        await writer.WriteAsync(plain, default);
        await writer.CompleteAsync(default);
        return file.ToArray();
    }

    /// <summary>The messages that a sealed file comes in.</summary>
    public static IEnumerable<CaptureResponse> Parts(byte[] file, int partBytes = 1 << 20) =>
        file.Chunk(partBytes).Select(part => new CaptureResponse { Sealed = ByteString.CopyFrom(part) });
}
