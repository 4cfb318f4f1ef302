using System.Buffers;
using Corelift.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Corelift.Client.Wire;

/// <summary>
/// The Capture call with a parser of our own: the generated one would allocate a new array per chunk, a gigabyte of them
/// per gigabyte. Held against the generated classes by tests.
/// </summary>
internal static class CaptureMethod
{
    /// <summary>Largest message other than memory that is parsed: a message of empty entries takes 50 times its size in memory.</summary>
    internal const int LargestControlBytes = 1024 * 1024 + 64 * 1024;

    private static readonly MessageParser<CaptureResponse> s_parser = CaptureResponse.Parser.WithDiscardUnknownFields(true);

    /// <summary>One for all calls: a channel remembers every method object that it has seen.</summary>
    internal static Method<CaptureRequest, CaptureFrame> Instance { get; } = new(
        MethodType.ServerStreaming,
        "corelift.v1.SnapshotService",
        "Capture",
        new Marshaller<CaptureRequest>(
            static (request, context) =>
            {
                context.SetPayloadLength(request.CalculateSize());
                request.WriteTo(context.GetBufferWriter());
                context.Complete();
            },
            static _ => throw new NotSupportedException("a client receives no requests")),
        new Marshaller<CaptureFrame>(
            static (_, _) => throw new NotSupportedException("a client sends no answers"),
            static context => Read(context.PayloadAsReadOnlySequence())));

    /// <summary>Reads one message. Never throws: damage is a property of the frame, for gRPC would hide the message in a status.</summary>
    internal static CaptureFrame Read(ReadOnlySequence<byte> payload)
    {
        return MemoryChunkParser.Read(payload) ?? ReadMessage(payload);
    }

    private static CaptureFrame ReadMessage(ReadOnlySequence<byte> payload)
    {
        if (payload.Length > LargestControlBytes)
        {
            return CaptureFrame.OfDamage($"a message of {payload.Length} bytes that is not memory");
        }

        try
        {
            CaptureResponse message = s_parser.ParseFrom(payload);
            return message.PartCase == CaptureResponse.PartOneofCase.Memory
                ? OfChunk(message.Memory)
                : CaptureFrame.OfMessage(message);
        }
        catch (InvalidProtocolBufferException malformed)
        {
            return CaptureFrame.OfDamage($"a message that cannot be parsed ({malformed.Message})");
        }
    }

    /// <summary>Memory in an unusual but valid encoding.</summary>
    private static CaptureFrame OfChunk(MemoryChunk chunk) => chunk.HasRingOffsetBytes
        ? CaptureFrame.OfRing(chunk.Address, chunk.Round, chunk.LengthBytes, chunk.Compression, chunk.RingOffsetBytes)
        : CaptureFrame.OfMemory(
            chunk.Address, chunk.Round, chunk.LengthBytes, chunk.Compression, new ReadOnlySequence<byte>(chunk.Data.Memory));
}
