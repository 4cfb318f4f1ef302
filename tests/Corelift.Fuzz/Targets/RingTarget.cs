using System.Buffers.Binary;
using System.Net.Sockets;
using Corelift.Client;
using Corelift.Client.Local;
using Corelift.Fuzz.Engine;
using Corelift.Linux;
using Corelift.Linux.Memory;
using Corelift.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Corelift.Fuzz.Targets;

/// <summary>
/// The memory ring of an agent that lies: its one message with a descriptor of some kind or none, and then slots that do not lie
/// in the ring. Byte 0 chooses the descriptor, byte 1 how much of the message is sent; then the message, then offsets and lengths.
/// </summary>
internal sealed class RingTarget : IFuzzTarget
{
    private const int MessageBytes = 24;
    private const int RingBytes = 8192;

    public static string Name => "ring";

    public static int MostBytes => 256;

    public static IEnumerable<byte[]> Seeds =>
        from kind in Enumerable.Range(0, 4)
        select (byte[])[(byte)kind, MessageBytes, .. new byte[16], 0, 16, 0, 0, 2, 0, 0, 0, 0, 16, 0, 0, 0, 16, 0, 0];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        if (input.Length < 2 + MessageBytes)
        {
            return;
        }

        using Socket ours = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint($"\0corelift-fuzz-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}"));
        listener.Listen(1);
        ours.Connect(listener.LocalEndPoint!);
        using Socket theirs = listener.Accept();
        Send(theirs, input[2..(2 + Math.Min(MessageBytes, (int)input[1]))], input[0] % 4);
        theirs.Shutdown(SocketShutdown.Send);
        using MemoryRing? ring = MemoryRing.TryReceive(ours);
        if (ring is not null)
        {
            Read(ring, input[(2 + MessageBytes)..]);
        }
    }

    private static void Send(Socket to, ReadOnlySpan<byte> message, int kind)
    {
        if (message.IsEmpty)
        {
            return;
        }

        using SafeFileHandle borrowed = new(to.Handle, ownsHandle: false);
        using MessageSocket sender = new(borrowed);
        using SharedBuffer? memory = kind switch
        {
            0 => SharedBuffer.CreateSealed("fuzz-sealed", RingBytes),
            1 => SharedBuffer.Create("fuzz-unsealed", RingBytes),
            _ => null,
        };
        using SafeFileHandle? other = kind == 2 ? File.OpenHandle("/dev/null") : null;
        SafeFileHandle[] descriptors = [.. ((SafeFileHandle?[])[memory?.File, other]).OfType<SafeFileHandle>()];
        try
        {
            _ = sender.TrySend(message, descriptors);
        }
        catch (SyscallException)
        {
            // A descriptor that cannot be sent.
        }
    }

    private static void Read(MemoryRing ring, ReadOnlySpan<byte> slots)
    {
        int sum = 0;
        for (; slots.Length >= 8; slots = slots[8..])
        {
            try
            {
                ReadOnlySpan<byte> slot = ring.Slice(BinaryPrimitives.ReadUInt32LittleEndian(slots), BinaryPrimitives.ReadUInt32LittleEndian(slots[4..]));
                sum += slot.IsEmpty ? 0 : slot[0] + slot[^1]; // a slot outside of the ring ends the process here
                ring.Free();
            }
            catch (SnapshotException)
            {
                // What is documented.
            }
        }

        GC.KeepAlive(sum);
    }
}
