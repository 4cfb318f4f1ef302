using Corelift.Agent.Services;
using Corelift.V1;
using Grpc.Core;

namespace Corelift.Agent.Tests;

public sealed class PageTokenTests
{
    [Theory]
    [InlineData(0UL)]
    [InlineData(4_194_304UL)]
    [InlineData(ulong.MaxValue)]
    public void A_token_comes_back_as_what_it_was(ulong key)
    {
        string token = PageToken.Write(PageKind.Vmas, key);
        Assert.Equal(key, PageToken.Read(PageKind.Vmas, token));
        Assert.Null(PageToken.Read(PageKind.Vmas, string.Empty));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("AQAAAAAAAAAA=")]
    [InlineData("            ")]
    [InlineData("AQAAAAAAAAA\n")]
    [InlineData("////////////")]
    public void Other_texts_are_refused(string token) =>
        Assert.Equal(StatusCode.InvalidArgument, Assert.Throws<RpcException>(() => PageToken.Read(PageKind.Processes, token)).StatusCode);

    [Fact]
    public void A_token_of_another_list_is_refused() =>
        Assert.Throws<RpcException>(() => PageToken.Read(PageKind.Processes, PageToken.Write(PageKind.Threads, 1)));

    [Theory]
    [InlineData(0u, 500)]
    [InlineData(7u, 7)]
    [InlineData(uint.MaxValue, 5000)]
    public void Page_sizes_have_a_default_and_a_maximum(uint asked, int size) => Assert.Equal(size, PageToken.Size(asked, 500, 5000));

    [Fact]
    public void Filters_that_cannot_be_are_refused()
    {
        var many = new ListProcessesRequest();
        many.Pids.AddRange(Enumerable.Repeat(1u, 1001));
        foreach (ListProcessesRequest request in (ListProcessesRequest[])
            [
                many, new() { Name = new string('x', 256) }, new() { ContainerId = "abc" }, new() { ContainerId = "not-hexadecimal" },
                new() { ContainerId = new string('a', 65) },
            ])
        {
            Assert.Equal(StatusCode.InvalidArgument, Assert.Throws<RpcException>(() => new ProcessFilter(request)).StatusCode);
        }

        _ = new ProcessFilter(new ListProcessesRequest { ContainerId = "ABCDEF01", Name = new string('x', 255) });
    }

    [Fact]
    public void Command_lines_are_cut_at_an_argument()
    {
        Assert.Equal(["a", "", "b c"], ProcessSummaries.Split("a\0\0b c\0"u8, 100));
        Assert.Equal(["rewritten title"], ProcessSummaries.Split("rewritten title"u8, 100));
        Assert.Equal(["aaa"], ProcessSummaries.Split("aaa\0bbbbbbbb\0"u8, 6));
        Assert.Equal(["aaaaaa"], ProcessSummaries.Split("aaaaaaaaaaaaa\0"u8, 6));
        Assert.Empty(ProcessSummaries.Split([], 6));
    }
}
