using System.Security.Cryptography.X509Certificates;

namespace Corelift.Cli.Cluster;

/// <summary>A user of a kubeconfig: a token, a certificate, or a program that makes either.</summary>
internal static class KubeconfigUser
{
    /// <summary>Reads one; a program is run at once, since what it makes decides how the connection is made.</summary>
    internal static ClusterUser Read(KubeconfigEntry user, KubeconfigEntry cluster, CliConsole console)
    {
        Func<string>? token = user.Text("tokenFile") is { } path ? () => TokenText.Read(user.Resolve(path))
            : user.Text("token") is { } text ? () => text
            : null;
        X509Certificate2Collection? certificate = Certificate(user, user.Pem("client-certificate"), user.Pem("client-key"));
        if (token is null && certificate is null && user.Entry("exec") is { } program)
        {
            ExecCredential made = ExecPlugin.Run(program, cluster, console);
            token = made.Token is { } word ? () => word : null;
            certificate = Certificate(user, made.Certificate, made.Key);
        }

        if (token is null && certificate is null && user.Entry("auth-provider") is not null)
        {
            throw new ClusterException(
                $"{user.What} has an auth-provider, which kubectl gave up in 1.26: write it anew with your provider's tool, so that it has 'exec'", ExitCode.Usage);
        }

        string[] groups = user.Texts("as-groups");
        if (groups.Length > 1)
        {
            throw new ClusterException($"{user.What} has several as-groups: this program can pass on one", ExitCode.Usage); // .NET joins them in one line
        }

        return new ClusterUser
        {
            Token = token,
            Certificate = certificate,
            Impersonation =
            [
                .. user.Text("as") is { } name ? [KeyValuePair.Create("Impersonate-User", name)] : (KeyValuePair<string, string>[])[],
                .. groups.Select(group => KeyValuePair.Create("Impersonate-Group", group)),
            ],
        };
    }

    private static X509Certificate2Collection? Certificate(KubeconfigEntry user, string? pem, string? key) => (pem, key) switch
    {
        (null, null) => null,
        ({ } certificate, { } itsKey) => user.ToCertificates(certificate, "client-certificate", itsKey),
        _ => throw new ClusterException($"{user.What} has a client certificate without its key, or a key without its certificate", ExitCode.Usage),
    };
}
