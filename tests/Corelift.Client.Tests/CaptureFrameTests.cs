using System.Buffers;
using Corelift.Client.Tests.Scripted;
using Corelift.Client.Wire;
using Corelift.V1;
using Google.Protobuf;

namespace Corelift.Client.Tests;

/// <summary>The hand-made parser against the generated one.</summary>
public sealed class CaptureFrameTests
{
    [Theory]
    [InlineData(0ul, 0u, 0)]
    [InlineData(0x7ffc_0000_1000ul, 0u, 1)]
    [InlineData(ulong.MaxValue, uint.MaxValue, 4096)]
    [InlineData(0x600000ul, 3u, 1 << 20)]
    public void Memory_reads_as_the_generated_class_wrote_it(ulong address, uint round, int length)
    {
        MemoryChunk chunk = new()
        {
            Address = address,
            Round = round,
            LengthBytes = (uint)length,
            Compression = Compression.Zstd,
            Data = ByteString.CopyFrom(SyntheticCapture.Bytes(address & 0xffff, length)),
        };

        using CaptureFrame frame = CaptureMethod.Read(Sequence(new CaptureResponse { Memory = chunk }.ToByteArray(), 0));

        AssertEqual(chunk, frame);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(uint.MaxValue)]
    public void A_chunk_in_a_ring_reads_as_the_generated_class_wrote_it(uint offset)
    {
        MemoryChunk chunk = new() { Address = 0x600000, Round = 2, LengthBytes = 1 << 20, RingOffsetBytes = offset };

        using CaptureFrame frame = CaptureMethod.Read(Sequence(new CaptureResponse { Memory = chunk }.ToByteArray(), 0));

        AssertEqual(chunk, frame);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(1000)]
    public void Memory_reads_the_same_across_segments(int segmentBytes)
    {
        CaptureResponse message = SyntheticCapture.Chunk(SyntheticCapture.DataStart, 5000);

        using CaptureFrame frame = CaptureMethod.Read(Sequence(message.ToByteArray(), segmentBytes));

        AssertEqual(message.Memory, frame);
    }

    [Fact]
    public void Every_other_message_reads_as_the_generated_class_wrote_it()
    {
        foreach (CaptureResponse message in SyntheticCapture.WithMemory().Messages().Where(m => m.Memory is null))
        {
            using CaptureFrame frame = CaptureMethod.Read(Sequence(message.ToByteArray(), 100));
            Assert.Equal(message, frame.Message);
        }
    }

    /// <summary>Fields in another order, in two pieces, or with unknown ones are valid protobuf, too.</summary>
    [Fact]
    public void Unusual_but_valid_encodings_of_memory_agree_with_the_generated_parser()
    {
        byte[] data = [0x2a, 4, 1, 2, 3, 4]; // field 5 of the chunk, length 4
        byte[] address = [0x08, 0x80, 0x20]; // field 1: 4096
        byte[] length = [0x18, 4];
        byte[] unknown = [0x98, 0x06, 1]; // field 99
        byte[][] chunks =
        [
            [.. data, .. length, .. address],
            [.. address, .. address, .. length, .. data, .. data],
            [.. unknown, .. address, .. length, .. data],
            [],
        ];
        foreach (byte[] chunk in chunks)
        {
            byte[] whole = [0x2a, (byte)chunk.Length, .. chunk];
            byte[] split = [.. whole, 0x2a, 2, 0x10, 7]; // merged: round 7
            foreach (byte[] bytes in new[] { whole, split })
            {
                using CaptureFrame frame = CaptureMethod.Read(Sequence(bytes, 3));
                AssertEqual(CaptureResponse.Parser.ParseFrom(bytes).Memory, frame);
            }
        }
    }

    [Fact]
    public void Any_bytes_are_a_frame_or_damage_but_never_a_crash()
    {
        Random random = new(20240229);
        byte[] good = SyntheticCapture.Chunk(SyntheticCapture.DataStart, 64).ToByteArray();
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = [.. good.Take(random.Next(good.Length + 1))];
            for (int change = random.Next(4); change > 0 && bytes.Length > 0; change--)
            {
                bytes[random.Next(Math.Min(bytes.Length, 20))] = (byte)random.Next(256);
            }

            using CaptureFrame frame = CaptureMethod.Read(Sequence(bytes, 0));
            CaptureResponse? expected = TryParse(bytes);
            Assert.Equal(expected is null, frame.Damage is not null);
            Assert.Equal(expected?.PartCase == CaptureResponse.PartOneofCase.Memory, frame.IsMemory);
            if (frame.IsMemory)
            {
                AssertEqual(expected!.Memory, frame);
            }
        }
    }

    [Fact]
    public void A_message_of_millions_of_empty_entries_is_not_parsed()
    {
        byte[] entries = new byte[3 * 1024 * 1024];
        for (int at = 0; at < entries.Length; at += 2)
        {
            entries[at] = 0x0a; // an empty CapturedVma
        }

        byte[] message = new CaptureResponse { Vmas = new InstantVmas() }.ToByteArray();
        byte[] bytes = [message[0], .. Varint((ulong)entries.Length), .. entries];
        using CaptureFrame frame = CaptureMethod.Read(Sequence(bytes, 0));

        Assert.NotNull(frame.Damage);
    }

    [Fact]
    public void Memory_costs_no_array_per_chunk()
    {
        ReadOnlySequence<byte> payload = Sequence(SyntheticCapture.Chunk(SyntheticCapture.DataStart, 1 << 20).ToByteArray(), 0);
        CaptureMethod.Read(payload).Dispose();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int count = 0; count < 100; count++)
        {
            CaptureMethod.Read(payload).Dispose();
        }

        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 100, 0, 1000);
    }

    private static CaptureResponse? TryParse(byte[] bytes)
    {
        try
        {
            return CaptureResponse.Parser.WithDiscardUnknownFields(true).ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    private static void AssertEqual(MemoryChunk chunk, CaptureFrame frame)
    {
        Assert.Null(frame.Damage);
        Assert.True(frame.IsMemory);
        Assert.Equal(chunk.HasRingOffsetBytes ? chunk.RingOffsetBytes : null, frame.RingOffset);
        if (chunk.HasRingOffsetBytes)
        {
            Assert.Equal(
                (chunk.Address, chunk.Round, chunk.LengthBytes, chunk.Compression),
                (frame.Address, frame.Round, frame.LengthBytes, frame.Compression));
            return;
        }

        Assert.Equal(
            (chunk.Address, chunk.Round, chunk.LengthBytes, chunk.Compression, chunk.Data.Length),
            (frame.Address, frame.Round, frame.LengthBytes, frame.Compression, frame.PackedBytes));
        Assert.True(chunk.Data.Span.SequenceEqual(frame.Packed));
    }

    private static byte[] Varint(ulong value)
    {
        List<byte> bytes = [];
        for (; value >= 0x80; value >>= 7)
        {
            bytes.Add((byte)(value & 0x7F | 0x80));
        }

        return [.. bytes, (byte)value];
    }

    private static ReadOnlySequence<byte> Sequence(byte[] bytes, int segmentBytes)
    {
        if (segmentBytes == 0 || bytes.Length == 0)
        {
            return new ReadOnlySequence<byte>(bytes);
        }

        Segment first = new(bytes.AsMemory(0, Math.Min(segmentBytes, bytes.Length)), 0);
        Segment last = first;
        for (int at = segmentBytes; at < bytes.Length; at += segmentBytes)
        {
            last = last.Append(bytes.AsMemory(at, Math.Min(segmentBytes, bytes.Length - at)));
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long runningIndex)
        {
            Memory = memory;
            RunningIndex = runningIndex;
        }

        public Segment Append(ReadOnlyMemory<byte> memory)
        {
            Segment next = new(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
