namespace Corelift.Testing;

/// <summary>Waiting for facts, in place of sleeping and hoping.</summary>
public static class Wait
{
    /// <summary>
    /// The bound of what the product does within a few seconds, on a machine that stands still for some of its own: a
    /// test tells "bounded" from "never", and benchmarks measure how soon.
    /// </summary>
    public static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(5);

    /// <summary>Returns as soon as the fact holds.</summary>
    /// <exception cref="TestingException">It did not hold within <paramref name="bound"/>.</exception>
    public static async Task UntilAsync(Func<bool> fact, TimeSpan bound, string what)
    {
        await UntilAsync(() => Task.FromResult(fact()), bound, () => what);
    }

    /// <inheritdoc cref="UntilAsync(Func{bool}, TimeSpan, string)"/>
    public static async Task UntilAsync(Func<Task<bool>> fact, TimeSpan bound, Func<string> what)
    {
        long start = Environment.TickCount64;
        while (!await fact())
        {
            if (Environment.TickCount64 - start > bound.TotalMilliseconds)
            {
                throw new TestingException($"not within {bound.TotalSeconds:0.#} s: {what()}");
            }

            await Task.Delay(s_interval);
        }
    }
}
