using Corelift.Agent.Kubernetes;

namespace Corelift.Agent.Tests.Kubernetes;

/// <summary>The memory for answers.</summary>
public sealed class ShortCacheTests
{
    private readonly ManualClock _clock = new();

    [Fact]
    public async Task It_never_holds_more_than_it_may()
    {
        var cache = new ShortCache<int, int>(10, _clock);
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(i, await cache.GetAsync(i, () => Task.FromResult(i), _ => TimeSpan.FromSeconds(10), default));
            _clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        Assert.Equal(10, cache.Count);
        Assert.Equal(99, await cache.GetAsync(99, () => Task.FromResult(-1), _ => TimeSpan.Zero, default));
        Assert.Equal(-1, await cache.GetAsync(0, () => Task.FromResult(-1), _ => TimeSpan.Zero, default));
    }

    [Fact]
    public async Task Failures_are_shared_by_those_who_wait_and_not_remembered()
    {
        var cache = new ShortCache<int, int>(10, _clock);
        var answer = new TaskCompletionSource<int>();
        int asked = 0;
        Task<int>[] all = [.. Enumerable.Range(0, 5).Select(_ => cache.GetAsync(1, AskAsync, _ => TimeSpan.FromSeconds(10), default).AsTask())];
        using var impatient = new CancellationTokenSource();
        Task<int> gone = cache.GetAsync(1, AskAsync, _ => TimeSpan.FromSeconds(10), impatient.Token).AsTask();
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);

        answer.SetException(new InvalidOperationException("no"));

        foreach (Task<int> each in all)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => each);
        }

        Assert.Equal((1, 0), (asked, cache.Count));
        Assert.Equal(7, await cache.GetAsync(1, () => Task.FromResult(7), _ => TimeSpan.FromSeconds(10), default));

        Task<int> AskAsync()
        {
            asked++;
            return answer.Task;
        }
    }
}
