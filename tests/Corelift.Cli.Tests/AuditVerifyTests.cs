using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Corelift.Cli.Tests;

/// <summary>corelift audit verify, over logs that are made here by the rule alone.</summary>
public sealed class AuditVerifyTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("corelift-verify-");

    private string Log => Path.Combine(_folder.FullName, "audit.jsonl");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_whole_log_is_sound_in_one_file_or_several()
    {
        List<string> lines = Write(30);
        CliRun one = await CliRun.AloneAsync("audit", "verify", Log, Log + ".head");
        Assert.Equal(0, one.ExitCode);
        Assert.Contains("sound: records 1 to 30, 0 of them without an end; last 30:", one.Output, StringComparison.Ordinal);

        File.WriteAllText(Log + ".000000000001", string.Concat(lines.Take(12)));
        File.WriteAllText(Log, string.Concat(lines.Skip(12)));
        CliRun both = await CliRun.AloneAsync("audit", "verify", Log, Log + ".000000000001", "--json");
        Assert.True(both.Json.GetProperty("sound").GetBoolean());
        Assert.Equal(30, both.Json.GetProperty("records").GetInt32());
        CliRun latter = await CliRun.AloneAsync("audit", "verify", Log);
        Assert.Equal(0, latter.ExitCode);
        Assert.Contains("the records before 13 are in files that were not given", latter.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Any_flipped_byte_is_found()
    {
        Write(6);
        byte[] whole = File.ReadAllBytes(Log);
        for (int at = 0; at < whole.Length; at += 7)
        {
            byte[] flipped = [.. whole];
            flipped[at] ^= 1;
            File.WriteAllBytes(Log, flipped);
            Assert.Equal(1, (await CliRun.AloneAsync("audit", "verify", Log)).ExitCode);
        }
    }

    [Theory]
    [InlineData("remove", "line 5: record 6 follows 4")]
    [InlineData("swap", "line 5: record 6 follows 4")]
    [InlineData("double", "line 6: record 5 follows 5")]
    [InlineData("change", "line 6: record 6 does not fit the line before it")]
    [InlineData("cut", "the log ends at record 9, and")]
    [InlineData("tear", "line 10 has no end")]
    public async Task The_first_bad_line_is_named(string how, string fault)
    {
        List<string> lines = Write(10);
        switch (how)
        {
            case "remove":
                lines.RemoveAt(4);
                break;
            case "swap":
                (lines[4], lines[5]) = (lines[5], lines[4]);
                break;
            case "double":
                lines.Insert(4, lines[4]);
                break;
            case "change":
                lines[4] = lines[4].Replace("alice", "mallory", StringComparison.Ordinal);
                break;
            case "cut":
                lines.RemoveAt(9);
                break;
            default:
                lines[9] = lines[9][..20];
                break;
        }

        File.WriteAllText(Log, string.Concat(lines));
        CliRun run = await CliRun.AloneAsync("audit", "verify", Log);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(fault, run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_record_noted_elsewhere_shows_a_log_that_was_written_anew()
    {
        List<string> lines = Write(10);
        string hash = Hash(lines[6]);
        Assert.Equal(0, (await CliRun.AloneAsync("audit", "verify", Log, "--expect", $"7:{hash}")).ExitCode);
        Write(10, "mallory");
        CliRun anew = await CliRun.AloneAsync("audit", "verify", Log, "--expect", $"7:{hash}");
        Assert.Equal(1, anew.ExitCode);
        Assert.Contains("was written anew", anew.Output, StringComparison.Ordinal);
        Write(5);
        Assert.Contains("which was expected, is not there", (await CliRun.AloneAsync("audit", "verify", Log, "--expect", $"7:{hash}")).Output, StringComparison.Ordinal);
        Assert.Equal(2, (await CliRun.AloneAsync("audit", "verify", Log, "--expect", "7")).ExitCode);
    }

    [Fact]
    public async Task Without_its_head_a_cut_tail_is_said_not_to_be_seen()
    {
        Write(10);
        File.Delete(Log + ".head");
        CliRun run = await CliRun.AloneAsync("audit", "verify", Log);
        Assert.Equal(0, run.ExitCode);
        Assert.Contains("cannot be told", run.Output, StringComparison.Ordinal);
        Assert.Equal(1, (await CliRun.AloneAsync("audit", "verify", Path.Combine(_folder.FullName, "none"))).ExitCode);
    }

    private List<string> Write(int count, string who = "alice")
    {
        List<string> lines = [];
        string hash = new('0', 64);
        for (int i = 1; i <= count; i++)
        {
            lines.Add($$"""{"seq":{{i}},"event":"{{(i % 2 == 1 ? "begin" : "end")}}","operation":"{{(i + 1) / 2}}","caller":"{{who}}","prev":"{{hash}}"}""" + "\n");
            hash = Hash(lines[^1]);
        }

        File.WriteAllText(Log, string.Concat(lines));
        File.WriteAllText(Log + ".head", string.Create(CultureInfo.InvariantCulture, $"{count:d20} {hash}\n"));
        return lines;
    }

    private static string Hash(string line) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(line.TrimEnd('\n'))));
}
