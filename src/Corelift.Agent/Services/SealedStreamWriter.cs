using System.Security.Cryptography;
using Corelift.Sealing;
using Corelift.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Corelift.Agent.Services;

/// <summary>
/// The stream of a sealed snapshot: messages in, parts of one age file out, whose plaintext is each message behind its length
/// as a varint. Holds the largest message so far and one part. What was written is a snapshot only after
/// <see cref="CompleteAsync"/>.
/// </summary>
internal sealed class SealedStreamWriter : IServerStreamWriter<CaptureResponse>, IDisposable
{
    private const int LongestVarint = 5;

    private readonly IServerStreamWriter<CaptureResponse> _stream;
    private readonly CaptureResponse _response = new();
    private readonly AgeWriter _age;
    private byte[] _message = [];

    private SealedStreamWriter(IReadOnlyList<AgeRecipient> recipients, IServerStreamWriter<CaptureResponse> stream)
    {
        _stream = stream;
        _age = new AgeWriter(recipients, WritePartAsync);
    }

    public WriteOptions? WriteOptions
    {
        get => _stream.WriteOptions;
        set => _stream.WriteOptions = value;
    }

    /// <summary>A writer that seals to these recipients; null where there is none.</summary>
    internal static SealedStreamWriter? For(IReadOnlyList<AgeRecipient> recipients, IServerStreamWriter<CaptureResponse> stream) =>
        recipients.Count == 0 ? null : new SealedStreamWriter(recipients, stream);

    public Task WriteAsync(CaptureResponse message) => WriteAsync(message, default);

    public async Task WriteAsync(CaptureResponse message, CancellationToken cancellationToken)
    {
        int length = message.CalculateSize();
        if (_message.Length < length + LongestVarint)
        {
            CryptographicOperations.ZeroMemory(_message);
            _message = GC.AllocateUninitializedArray<byte>(length + LongestVarint);
        }

        int start = WriteVarint(_message, (uint)length);
        message.WriteTo(_message.AsSpan(start, length));
        await _age.WriteAsync(_message.AsMemory(0, start + length), cancellationToken);
    }

    /// <summary>Sends what is left, marked as the end.</summary>
    internal Task CompleteAsync(CancellationToken cancellationToken) => _age.CompleteAsync(cancellationToken);

    public void Dispose()
    {
        _age.Dispose();
        CryptographicOperations.ZeroMemory(_message);
    }

    private static int WriteVarint(Span<byte> to, uint value)
    {
        int at = 0;
        for (; value > 0x7f; value >>= 7)
        {
            to[at++] = (byte)(0x80 | (value & 0x7f));
        }

        to[at] = (byte)value;
        return at + 1;
    }

    /// <summary>gRPC has serialised the part when its write returns, so that the buffer is free again.</summary>
    private Task WritePartAsync(ReadOnlyMemory<byte> part, CancellationToken cancellationToken)
    {
        _response.Sealed = UnsafeByteOperations.UnsafeWrap(part);
        return _stream.WriteAsync(_response, cancellationToken);
    }
}
