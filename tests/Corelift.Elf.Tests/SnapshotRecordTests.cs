using System.Text;

namespace Corelift.Elf.Tests;

public sealed class SnapshotRecordTests
{
    private static readonly SnapshotRecord s_full = new()
    {
        ToolVersion = "0.1.0",
        Strategy = "fork",
        Content = "default",
        Reasons = ["it is the shortest"],
        StoppedAt = "2026-01-02T03:04:05.000000006Z",
        PauseNs = 7_000_000,
        SkewNs = 8,
        Phases = [new("fork", 9)],
        Rounds = [new(1, 16, 17), new(2, 18, 19)],
        PartialBecause = "the image was dropped",
        UnreferencedBytes = 20,
        Host = "höst",
        Kernel = "6.18.0",
        CaptureId = "c-1",
        Pid = 10,
        StartTimeTicks = 11,
        Executable = "/usr/bin/target",
        BuildId = "c0ffee",
        Pod = new() { Namespace = "shop", Name = "web-1", Uid = "u-1", Container = "app", Image = "app:1", ImageDigest = "app@sha256:aa", Node = "n-1" },
        ThreadStops = [new(12, "main", 13)],
        NotOfTheInstant = [new(0x1000, 0x2000, "live", "shared memory was read after the resume")],
        Holes = [new(0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_1000, "device")],
        Totals = new(14, 15, 0xfedc_ba98_7654_3210),
        Warnings = ["read this"],
    };

    [Fact]
    public void A_record_survives_json_with_its_addresses_as_hexadecimal_strings()
    {
        byte[] json = s_full.ToJson();

        string text = Encoding.UTF8.GetString(json);
        Assert.Contains("\"start\":\"0xffffffffff600000\"", text, StringComparison.Ordinal);
        Assert.Contains("\"digest\":\"0xfedcba9876543210\"", text, StringComparison.Ordinal);
        Assert.Contains("\"stopped_after_ns\":13", text, StringComparison.Ordinal);
        Assert.DoesNotContain("omitted", text, StringComparison.Ordinal);
        Assert.Contains("\"pod\":{\"namespace\":\"shop\",\"name\":\"web-1\"", text, StringComparison.Ordinal);
        Assert.Contains("\"partial_because\":\"the image was dropped\"", text, StringComparison.Ordinal);
        Assert.Equal(json, SnapshotRecord.Parse([.. json, .. " \n "u8]).ToJson());
        Assert.True(SnapshotRecord.Parse(json).IsComplete);
    }

    [Fact]
    public void Members_that_are_missing_or_unknown_do_not_hurt()
    {
        SnapshotRecord record = SnapshotRecord.Parse("{\"from_the_future\":{\"a\":[1]}}"u8);

        Assert.False(record.IsComplete);
        Assert.Empty(record.Holes);
        Assert.Empty(record.Warnings);
        Assert.Equal("", record.Host);
        Assert.Equal((new SnapshotRecord() with { FormatVersion = 0 }).ToJson(), record.ToJson());
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{}{}")]
    [InlineData("{\"holes\":null}")]
    [InlineData("{\"holes\":[null]}")]
    [InlineData("{\"warnings\":[null]}")]
    [InlineData("{\"rounds\":[null]}")]
    [InlineData("{\"host\":null}")]
    [InlineData("{\"host\":\"\\ud800\"}")]
    [InlineData("{\"holes\":[{\"start\":1,\"end\":\"0x1\",\"reason\":\"\"}]}")]
    [InlineData("{\"holes\":[{\"start\":\"0x\",\"end\":\"0x1\",\"reason\":\"\"}]}")]
    [InlineData("{\"holes\":[{\"start\":\"0x11111111111111111\",\"end\":\"0x1\",\"reason\":\"\"}]}")]
    [InlineData("{\"holes\":[{\"start\":\"0x1\"}]}")]
    [InlineData("{\"totals\":{}}")]
    [InlineData("{\"pid\":99999999999}")]
    [InlineData("{\"pid\":1,\"pid\":2}")]
    public void What_is_not_a_record_is_refused(string json) =>
        Assert.Throws<CoreFormatException>(() => SnapshotRecord.Parse(Encoding.UTF8.GetBytes(json)));

    [Fact]
    public void Neighbouring_ranges_that_say_the_same_become_one()
    {
        SnapshotRecord record = s_full with
        {
            Holes = [new(0, 1, "a"), new(1, 2, "a"), new(2, 3, "b"), new(4, 5, "b")],
            NotOfTheInstant = [new(0, 1, "live", "x"), new(1, 2, "live", "x"), new(2, 3, "file", "x"), new(3, 4, "file", "y")],
        };

        SnapshotRecord parsed = SnapshotRecord.Parse(record.ToJson());

        Assert.Equal([new(0, 2, "a"), new(2, 3, "b"), new(4, 5, "b")], parsed.Holes);
        Assert.Equal([new(0, 2, "live", "x"), new(2, 3, "file", "x"), new(3, 4, "file", "y")], parsed.NotOfTheInstant);
    }

    [Theory]
    [InlineData(2000)]
    [InlineData(4096)]
    [InlineData(65536)]
    [InlineData(1 << 20)]
    public void A_record_too_long_for_its_room_leaves_out_the_longest_lists_and_counts_what_it_left(int maxBytes)
    {
        SnapshotRecord record = s_full with
        {
            ThreadStops = [.. Enumerable.Range(1, 10_000).Select(i => new RecordThreadStop(i, "worker", i))],
            Holes = [.. Enumerable.Range(0, 65_530).Select(i => new RecordHole((ulong)i * 2, ((ulong)i * 2) + 1, "device"))],
            Rounds = [.. Enumerable.Range(1, 1000).Select(i => new RecordRound(i, 1, 1))],
        };

        byte[] json = record.ToJson(maxBytes);
        SnapshotRecord parsed = SnapshotRecord.Parse(json);

        Assert.InRange(json.Length, maxBytes / 2, maxBytes); // fits, and uses the room
        Assert.Equal(65_530, parsed.Holes.Count + parsed.Omitted!.Holes);
        Assert.Equal(10_000, parsed.ThreadStops.Count + parsed.Omitted.ThreadStops);
        Assert.Equal(1000, parsed.Rounds.Count + parsed.Omitted.Rounds);
        Assert.Equal(s_full.Warnings, parsed.Warnings);
        Assert.Equal(s_full.Totals, parsed.Totals);
    }

    [Fact]
    public void A_record_that_has_no_room_even_without_lists_is_refused() =>
        Assert.Throws<CoreFormatException>(() => (s_full with { Executable = new string('x', 5000) }).ToJson(4096));

    [Fact]
    public void Times_keep_their_nanoseconds()
    {
        Assert.Equal("2001-09-09T01:46:40.000000007Z", SnapshotRecord.FormatTime(1_000_000_000, 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => SnapshotRecord.FormatTime(0, 1_000_000_000));
    }
}
