using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Corelift.Cli.Cluster;

/// <summary>What a credential plugin made.</summary>
internal sealed record ExecCredential(string? Token, string? Certificate, string? Key);

/// <summary>Runs the program that a kubeconfig names for credentials (client.authentication.k8s.io).</summary>
internal static class ExecPlugin
{
    private static readonly string[] s_versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

    /// <summary>Runs it; what it says on standard error is the user's to see.</summary>
    /// <exception cref="ClusterException">It is not there, fails, or makes nothing that can be used.</exception>
    internal static ExecCredential Run(KubeconfigEntry program, KubeconfigEntry cluster, CliConsole console)
    {
        string command = program.Text("command") ?? throw new ClusterException($"exec of {program.What} names no command", ExitCode.Usage);
        string version = program.Text("apiVersion") ?? "";
        if (!s_versions.Contains(version))
        {
            throw new ClusterException($"exec of {program.What} is of version '{version}'; known are {string.Join(" and ", s_versions)}", ExitCode.Usage);
        }

        string mode = program.Text("interactiveMode") ?? "IfAvailable";
        if (mode == "Always" && !console.IsInTerminal)
        {
            throw new ClusterException($"'{command}' of {program.What} wants a terminal to ask you at, and there is none", ExitCode.Usage);
        }

        bool interactive = mode != "Never" && console.IsInTerminal;
        ProcessStartInfo start = new(command.Contains('/', StringComparison.Ordinal) ? program.Resolve(command) : command)
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = !interactive,
        };
        Array.ForEach(program.Texts("args"), start.ArgumentList.Add);
        foreach (KubeconfigEntry variable in program.Entries("env"))
        {
            start.Environment[variable.Text("name") ?? ""] = variable.Text("value") ?? "";
        }

        start.Environment["KUBERNETES_EXEC_INFO"] = Describe(version, interactive, program.IsTrue("provideClusterInfo") ? cluster : null);
        return Read(Start(start, command, program, interactive), command, version);
    }

    private static string Start(ProcessStartInfo start, string command, KubeconfigEntry program, bool interactive)
    {
        try
        {
            using Process process = Process.Start(start)!;
            if (!interactive)
            {
                process.StandardInput.Close();
            }

            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0
                ? output
                : throw new ClusterException($"'{command}', which is to show who you are, ended with {process.ExitCode}; are you logged in?", ExitCode.Refused);
        }
        catch (Win32Exception failure)
        {
            string hint = program.Text("installHint") is { } text ? $". {text.Trim()}" : "";
            throw new ClusterException($"'{command}', which is to show who you are, cannot be run: {failure.Message}{hint}", ExitCode.Usage, failure);
        }
    }

    private static string Describe(string version, bool interactive, KubeconfigEntry? cluster)
    {
        using MemoryStream buffer = new();
        using (Utf8JsonWriter writer = new(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("apiVersion", version);
            writer.WriteString("kind", "ExecCredential");
            writer.WriteStartObject("spec");
            writer.WriteBoolean("interactive", interactive);
            if (cluster is not null)
            {
                writer.WriteStartObject("cluster");
                foreach (string key in (string[])["server", "tls-server-name", "proxy-url"])
                {
                    if (cluster.Text(key) is { } text)
                    {
                        writer.WriteString(key, text);
                    }
                }

                if (cluster.Pem("certificate-authority") is { } pem)
                {
                    writer.WriteBase64String("certificate-authority-data", Encoding.ASCII.GetBytes(pem));
                }

                writer.WriteBoolean("insecure-skip-tls-verify", cluster.IsTrue("insecure-skip-tls-verify"));
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static ExecCredential Read(string output, string command, string version)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(output);
            JsonElement root = document.RootElement;
            if (Text(root, "kind") == "ExecCredential" && Text(root, "apiVersion") == version && root.TryGetProperty("status", out JsonElement status))
            {
                ExecCredential made = new(Text(status, "token"), Text(status, "clientCertificateData"), Text(status, "clientKeyData"));
                if (TokenText.IsToken(made.Token) || (made.Token is null && made.Certificate is not null))
                {
                    return made;
                }
            }
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            throw new ClusterException($"'{command}' printed what is no ExecCredential: {failure.Message}", ExitCode.Usage, failure);
        }

        throw new ClusterException($"'{command}' printed what is no ExecCredential of {version} with a token or a certificate", ExitCode.Usage);
    }

    private static string? Text(JsonElement of, string key) => of.TryGetProperty(key, out JsonElement value) ? value.GetString() : null;
}
