using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Corelift.Client;
using Corelift.V1;

namespace Corelift.Cli;

/// <summary>Options that several commands share, and the parsing of times, sizes and addresses.</summary>
internal static class Arguments
{
    internal static Option<string?> Agent { get; } = new("--agent", "-a")
    {
        Description = $"Agent's address: unix:PATH or http(s)://HOST:PORT (else CORELIFT_AGENT, else {AgentAddress.DefaultText})",
        HelpName = "ADDRESS",
        Recursive = true,
    };

    internal static Option<bool> Json { get; } = new("--json") { Description = "Print one JSON object", Recursive = true };

    internal static Argument<string> Target() => new("PID|NAME") { Description = "A process by its pid, or by a name that only one has" };

    internal static Option<Strategy> StrategyOption() => Word(
        "--strategy", "How the instant is held: auto, fork, direct",
        ("auto", Strategy.Unspecified), ("fork", Strategy.Fork), ("direct", Strategy.Direct));

    internal static Option<Content> ContentOption() => Word(
        "--content", "How much memory: default (as gcore), full, stacks",
        ("default", Content.Default), ("full", Content.Full), ("stacks", Content.Stacks));

    internal static Option<Compression> CompressionOption() => Word(
        "--compression", "Packing on the wire: none, lz4, zstd",
        ("none", Compression.None), ("lz4", Compression.Lz4), ("zstd", Compression.Zstd));

    internal static Option<TimeSpan?> Time(string name, string description) =>
        new(name) { Description = description, HelpName = "TIME", CustomParser = ParseTime };

    /// <summary>An address of the target, decimal or with 0x.</summary>
    internal static ulong ParseNumber(string text, string what)
    {
        bool hex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return ulong.TryParse(
            hex ? text[2..] : text, hex ? NumberStyles.HexNumber : NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw new UsageException($"'{text}' is no {what}: write a decimal number, or hexadecimal digits after 0x");
    }

    internal static CoreliftClient Connect(ParseResult parsed)
    {
        string text = parsed.GetValue(Agent) ?? Environment.GetEnvironmentVariable("CORELIFT_AGENT") ?? AgentAddress.DefaultText;
        return AgentAddress.TryParse(text, out AgentAddress? address, out string? problem)
            ? CoreliftClient.Connect(address)
            : throw new UsageException(problem);
    }

    private static Option<T> Word<T>(string name, string description, params (string Text, T Value)[] words)
        where T : struct
    {
        var option = new Option<T>(name)
        {
            Description = description,
            HelpName = string.Join('|', words.Select(w => w.Text)),
            CustomParser = result => Parse(result, words),
        };
        option.CompletionSources.Add(_ => words.Select(w => new System.CommandLine.Completions.CompletionItem(w.Text)));
        return option;
    }

    private static T Parse<T>(ArgumentResult result, (string Text, T Value)[] words)
        where T : struct
    {
        string text = result.Tokens[0].Value;
        foreach ((string word, T value) in words)
        {
            if (word == text)
            {
                return value;
            }
        }

        result.AddError($"'{text}' is not one of {string.Join(", ", words.Select(w => w.Text))}");
        return default;
    }

    private static TimeSpan? ParseTime(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        (string Suffix, double Milliseconds)[] units = [("us", 0.001), ("ms", 1), ("s", 1000), ("m", 60_000)];
        foreach ((string suffix, double milliseconds) in units)
        {
            if (text.EndsWith(suffix, StringComparison.Ordinal)
                && double.TryParse(text[..^suffix.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
                && number * milliseconds is >= 0 and < 1e12)
            {
                return TimeSpan.FromMilliseconds(number * milliseconds);
            }
        }

        result.AddError($"'{text}' is no time: write 500ms, 2s or 1m");
        return null;
    }
}
