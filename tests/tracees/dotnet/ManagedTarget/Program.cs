using System.Runtime.CompilerServices;

namespace ManagedTarget;

/// <summary>An object that a heap walk can find and count; its number says which one it is.</summary>
internal sealed record Marker(int Number);

/// <summary>A managed target: threads in Sleep below Deep below Work, and a known number of Markers on the heap.</summary>
internal static class Program
{
    private static readonly Lock s_console = new();
    private static readonly ManualResetEventSlim s_never = new(false);
    private static readonly List<Marker> s_markers = [];
    private static long s_beats;

    private static int Main(string[] arguments)
    {
        int threads = Number(arguments, "--threads", 4);
        int markers = Number(arguments, "--markers", 1234);
        s_markers.AddRange(Enumerable.Range(0, markers).Select(number => new Marker(number)));
        using CountdownEvent started = new(threads);
        for (int index = 0; index < threads; index++)
        {
            new Thread(() => Work(started)) { IsBackground = true, Name = $"work-{index}" }.Start();
        }

        new Thread(Beat) { IsBackground = true, Name = "beat" }.Start();
        started.Wait();
        Say($"READY pid={Environment.ProcessId} threads={threads} markers={markers}");
        while (Console.ReadLine() is { } line and not "exit")
        {
            Say(line == "check" ? Check(markers) : $"BAD unknown command {line}");
        }

        return 0;
    }

    private static string Check(int markers)
    {
        long before = Interlocked.Read(ref s_beats);
        SpinWait.SpinUntil(() => Interlocked.Read(ref s_beats) != before);
        GC.Collect();
        int whole = s_markers.Where((marker, index) => marker.Number == index).Count();
        return whole == markers ? $"OK markers={whole}" : $"BAD markers={whole}";
    }

    // The names of the three are what the tests look for in a core.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static void Work(CountdownEvent started)
    {
        Deep(started);
        GC.KeepAlive(started);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static void Deep(CountdownEvent started)
    {
        started.Signal();
        Sleep();
        GC.KeepAlive(s_markers);
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.NoOptimization)]
    private static void Sleep() => s_never.Wait();

    private static void Beat()
    {
        while (true)
        {
            Interlocked.Increment(ref s_beats);
            s_never.Wait(1);
        }
    }

    private static int Number(string[] arguments, string name, int otherwise)
    {
        int at = Array.IndexOf(arguments, name);
        return at < 0 ? otherwise : int.Parse(arguments[at + 1], System.Globalization.CultureInfo.InvariantCulture);
    }

    private static void Say(string line)
    {
        lock (s_console)
        {
            Console.Out.WriteLine(line);
            Console.Out.Flush();
        }
    }
}
