using System.Diagnostics;
using Corelift.Agent.Access;
using Corelift.Agent.Kubernetes;
using Corelift.Testing;
using Corelift.Testing.Cluster;

namespace Corelift.Agent.Tests.Kubernetes;

/// <summary>The directory of pods against an API server that changes, fails and comes back.</summary>
public sealed class PodDirectoryTests : KubernetesTest
{
    private readonly string _id = ClusterContainer.NewId();

    [Fact]
    public async Task Pods_of_the_own_node_are_known_page_by_page_and_others_are_not()
    {
        string[] ids = [.. Enumerable.Range(0, 120).Select(_ => ClusterContainer.NewId())];
        for (int i = 0; i < ids.Length; i++)
        {
            Cluster.Pods.Put(new ClusterPod("shop", $"web-{i}", new ClusterContainer("app", ids[i])));
        }

        Cluster.Pods.Put(new ClusterPod("shop", "elsewhere", new ClusterContainer("app", _id)) { Node = "node-2" });
        PodDirectory directory = await NewDirectoryAsync();

        foreach ((int i, string id) in ids.Index())
        {
            Assert.Equal($"web-{i}", (await directory.FindAsync(id, default))!.Name);
        }

        Assert.Null(await directory.FindAsync(_id, default));
        Assert.Null(await directory.FindAsync(string.Empty, default));
    }

    [Fact]
    public async Task Changes_come_by_the_watch_and_not_by_asking()
    {
        PodDirectory directory = await NewDirectoryAsync();
        await Wait.UntilAsync(() => Cluster.Count("watch=true") > 0, Patience, "a watch");
        int lists = Cluster.Count("limit=");
        var pod = new ClusterPod("shop", "web", new ClusterContainer("app", _id));
        string restarted = ClusterContainer.NewId();

        Cluster.Pods.Put(pod);
        await KnownAsync(_id);
        Cluster.Pods.Put(pod with { Labels = new() { ["app"] = "changed" } });
        await UntilAsync(directory, _id, found => found!.Labels["app"] == "changed", "the new label");
        Cluster.Pods.Put(pod with { Containers = [new ClusterContainer("app", restarted)] });
        await KnownAsync(restarted);
        Assert.Equal(lists, Cluster.Count("limit="));

        Assert.Null(await directory.FindAsync(_id, default)); // the container that was before the restart
        Cluster.Pods.Delete(pod);
        await UntilAsync(directory, restarted, found => found is null, "the pod gone");

        async Task KnownAsync(string id)
        {
            // Asking itself would look, so the table is what is waited for.
            await Wait.UntilAsync(() => directory.Table.TryFind(id, out _), Patience, "the container known");
            Assert.Equal((pod.Uid, "app"), ((await directory.FindAsync(id, default))!.Uid, (await directory.FindAsync(id, default))!.Container));
        }
    }

    [Fact]
    public async Task A_pod_of_the_same_name_is_another()
    {
        var first = new ClusterPod("shop", "db-0", new ClusterContainer("db", _id));
        var second = new ClusterPod("shop", "db-0", new ClusterContainer("db", ClusterContainer.NewId()));
        Cluster.Pods.Put(first);
        PodDirectory directory = await NewDirectoryAsync();
        Assert.Equal(first.Uid, (await directory.FindAsync(_id, default))!.Uid);

        Cluster.Pods.Put(second);

        await UntilAsync(directory, second.Containers[0].Id!, found => found?.Uid == second.Uid, "the second pod");
        await UntilAsync(directory, _id, found => found is null, "the first pod gone");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_410_the_list_is_read_again(bool inStream)
    {
        Cluster.TellsGoneInStream = inStream;
        PodDirectory directory = await NewDirectoryAsync();
        await Wait.UntilAsync(() => Cluster.Count("watch=true") > 0, Patience, "a watch");
        await Cluster.DownAsync();
        Cluster.Pods.Put(new ClusterPod("shop", "web", new ClusterContainer("app", _id)));
        Cluster.Pods.Compact();
        await Cluster.UpAsync();

        await Wait.UntilAsync(() => directory.Table.TryFind(_id, out _), Patience, "the container known");
        int lists = Cluster.Count("limit=");
        string next = ClusterContainer.NewId();
        Cluster.Pods.Put(new ClusterPod("shop", "web-2", new ClusterContainer("app", next)));
        await Wait.UntilAsync(() => directory.Table.TryFind(next, out _), Patience, "the next container known");
        Assert.Equal(lists, Cluster.Count("limit="));
    }

    [Fact]
    public async Task What_is_known_stays_known_while_the_server_is_away_and_what_is_not_is_refused()
    {
        Cluster.Pods.Put(new ClusterPod("shop", "web", new ClusterContainer("app", _id)));
        PodDirectory directory = await NewDirectoryAsync();
        await Wait.UntilAsync(() => directory.Table.Count == 1, Patience, "the list read");

        await Cluster.DownAsync();

        Assert.NotNull(await directory.FindAsync(_id, default));
        await Assert.ThrowsAsync<AccessUnavailableException>(async () => await directory.FindAsync(ClusterContainer.NewId(), default));
        await Cluster.UpAsync();
        string late = ClusterContainer.NewId();
        Cluster.Pods.Put(new ClusterPod("shop", "late", new ClusterContainer("app", late)));
        await Wait.UntilAsync(() => directory.Table.TryFind(late, out _), Patience, "the watch again");
    }

    [Theory]
    [InlineData(Trouble.Silent, "within 2 s")]
    [InlineData(Trouble.Forbidden, "403 Forbidden: pods is forbidden")]
    [InlineData(Trouble.Garbage, "not of the Kubernetes API")]
    [InlineData(Trouble.Overloaded, "503 ServiceUnavailable")]
    [InlineData(Trouble.Cut, "does not answer")]
    public async Task A_server_in_trouble_refuses_in_time(Trouble trouble, string words)
    {
        Cluster.Set("/pods", trouble);
        PodDirectory directory = await NewDirectoryAsync();
        var time = Stopwatch.StartNew();

        AccessUnavailableException failure = await Assert.ThrowsAsync<AccessUnavailableException>(async () => await directory.FindAsync(_id, default));

        Assert.InRange(time.Elapsed, TimeSpan.Zero, Wait.Soon);
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Cluster.Pods.Put(new ClusterPod("shop", "web", new ClusterContainer("app", _id)));
        Cluster.Set("/pods", Trouble.None);
        await Wait.UntilAsync(() => directory.Table.TryFind(_id, out _), Patience, "the watch again");
    }

    [Fact]
    public async Task What_is_unknown_is_looked_up_once_for_all_who_ask_and_again_soon()
    {
        PodDirectory directory = await NewDirectoryAsync(watches: false);

        await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ => Assert.Null(await directory.FindAsync(ClusterContainer.NewId(), default))));

        Assert.Equal(1, Cluster.Count("limit="));
        Cluster.Pods.Put(new ClusterPod("shop", "web", new ClusterContainer("app", _id)));
        await UntilAsync(directory, _id, found => found is not null, "found by a look");
        Assert.Equal(2, Cluster.Count("limit="));
    }

    [Fact]
    public async Task A_renewed_token_and_a_rotated_authority_count_without_a_restart()
    {
        PodDirectory directory = await NewDirectoryAsync(watches: false);
        string old = await File.ReadAllTextAsync(Cluster.TokenFile);
        await File.WriteAllTextAsync(Cluster.TokenFile, Cluster.Tokens.Issue("corelift", "agent", TimeSpan.FromHours(1), ClusterTokens.ApiAudience));
        Cluster.Tokens.Revoked.Add(old);
        Cluster.RotateCertificates();
        Assert.Null(await directory.FindAsync(_id, default));

        await File.WriteAllTextAsync(Cluster.CaFile, await ForeignAuthorityAsync());
        using var other = new ApiClient(Address);
        ApiException failure = await Assert.ThrowsAsync<ApiException>(() => other.ListPodsAsync("node-1", null, default));
        Assert.Contains("does not answer", failure.Message, StringComparison.Ordinal);
    }

    private static async Task<string> ForeignAuthorityAsync()
    {
        await using ClusterStandIn other = await ClusterStandIn.StartAsync();
        return await File.ReadAllTextAsync(other.CaFile);
    }
}
