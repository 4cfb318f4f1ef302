using Corelift.Client;
using Corelift.Client.Receiving;
using Corelift.Client.Wire;
using Corelift.Elf;
using Corelift.Fuzz.Engine;
using Corelift.V1;

namespace Corelift.Fuzz.Targets;

/// <summary>The reader and the verifier of cores.</summary>
internal sealed class CoreTarget : IFuzzTarget
{
    private static readonly CoreLimits s_limits = new()
    {
        MaxProgramHeaders = 1000,
        MaxNotes = 1000,
        MaxThreads = 100,
        MaxMappedFiles = 100,
        MaxPathBytes = 512,
        MaxNoteBytes = 1 << 20,
        MaxRecordBytes = 1 << 20,
    };

    public static string Name => "core";

    public static int MostBytes => 64 * 1024;

    public static IReadOnlyList<string> Words => ["CORE\0", "LINUX\0", "CORELIFT\0", "FILE", "\u007fELF", "\uffff\uffff", "{\"formatVersion\":1}", "\"totals\":", "\"holes\":[", "null", "-1"];

    public static IEnumerable<byte[]> Seeds => [Core(Captures.Simple()), Core(Captures.Live())];

    public static void Fuzz(ReadOnlySpan<byte> input)
    {
        byte[] bytes = input.ToArray();
        _ = CoreVerifier.Verify(new MemoryStream(bytes), s_limits);
        try
        {
            using CoreFile core = CoreFile.Open(new MemoryStream(bytes), s_limits);
            ReadAll(core);
        }
        catch (CoreFormatException)
        {
            // What is documented.
        }
    }

    private static void ReadAll(CoreFile core)
    {
        foreach (ProgramHeader header in core.ProgramHeaders.Take(16))
        {
            Try(core, header, static (file, place) => file.Read(place.Address, new byte[64]));
        }

        Try(core, 0, static (file, _) => file.ReadThreads().Count);
        Try(core, 0, static (file, _) => file.ReadMappedFiles().Count);
        Try(core, 0, static (file, _) => file.ReadAuxv().Count);
        Try(core, 0, static (file, _) => file.ReadRecord() is null ? 0 : 1);
    }

    private static void Try<T>(CoreFile core, T argument, Func<CoreFile, T, int> read)
    {
        try
        {
            _ = read(core, argument);
        }
        catch (CoreFormatException)
        {
            // The rest may be sound.
        }
    }

    private static byte[] Core(List<CaptureResponse> capture)
    {
        MemoryStream file = new();
        using CaptureReceiver receiver = new(file, new SnapshotLimits(), null);
        foreach (byte[] message in Captures.Cut(CaptureStreamTarget.WithSums(Captures.ToBytes(capture))))
        {
            using CaptureFrame frame = Captures.Frame(message);
            receiver.Add(frame);
        }

        _ = receiver.Finish();
        return file.ToArray();
    }
}
