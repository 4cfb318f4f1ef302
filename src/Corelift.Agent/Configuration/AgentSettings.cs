namespace Corelift.Agent.Configuration;

/// <summary>
/// Everything that can be set, in the order of help and reference. A new setting is one line here and one where it is used
/// (<c>values.Get(AgentSettings.X)</c>); flag, variable, file key, schema and SETTINGS.md follow from the line.
/// </summary>
internal static class AgentSettings
{
    private static readonly SettingFactory s_make = new();

    internal static readonly Setting<string?> Listen = s_make.Texts("listen", "ADDRESS", "Where to serve: unix:PATH, https://ADDRESS:PORT or http://127.0.0.1:PORT; may be given several times", "unix:/run/corelift/agent.sock");
    internal static readonly Setting<string?> SocketGroup = s_make.Text("socket-group", "NAME|GID", "Group that may use the Unix sockets, beside root and the agent's own user; the agent must be in it", "the agent's own, unless that is nogroup");
    internal static readonly Setting<string?> SocketMode = s_make.Text("socket-mode", "MODE", "Permissions of the Unix sockets, in octal, such as 0660; who may connect is not yet who may call", "0660 with a group, else 0600");
    internal static readonly Setting<string?> TlsCertificate = s_make.Text("tls-certificate", "FILE", "The agent's certificate (PEM), those between it and its CA after it; for https. Read again when it changes, as the next two are");
    internal static readonly Setting<string?> TlsKey = s_make.Text("tls-key", "FILE", "Its private key (PEM, without a password)");
    internal static readonly Setting<string?> ClientCa = s_make.Text("client-ca", "FILE", "CAs whose client certificates are taken (PEM, any number; a SPIFFE trust bundle)");
    internal static readonly Setting<string?> OidcIssuer = s_make.Text("oidc-issuer", "URL", "OpenID Connect issuer whose tokens (JWT) are taken");
    internal static readonly Setting<string?> OidcAudience = s_make.Texts("oidc-audience", "NAME", "Audience that they must be for; may be given several times");
    internal static readonly Setting<string?> OidcJwksFile = s_make.Text("oidc-jwks-file", "FILE", "The issuer's keys (JSON web key set), read again when it changes", "fetched from the issuer");
    internal static readonly Setting<string?> OidcCa = s_make.Text("oidc-ca", "FILE", "CAs that the issuer's server must have its certificate from (PEM)", "those of the host");
    internal static readonly Setting<bool> AllowAuthenticated = s_make.Switch("allow-authenticated", "Let whoever has a certificate or token do everything; without it, and without a policy, they may do nothing");
    internal static readonly Setting<bool> AllowAnonymousLoopback = s_make.Switch("allow-anonymous-loopback", "Serve on http://127.0.0.1:PORT: whoever can connect, every user of the host among them, may do everything");
    internal static readonly Setting<bool> HealthWithoutIdentity = s_make.Switch("health-without-identity", "Let the health service answer everybody who can connect");
    internal static readonly Setting<long> SpoolBytes = s_make.Size("spool-bytes", "Most memory for what strategy direct copies, and precopy of a process that writes much", "a quarter of what is available at the time");
    internal static readonly Setting<string?> SpoolDirectory = s_make.Text("spool-directory", "DIR", "Directory for copies that do not fit that: files unlinked at once, of at most half of the free space", "none: nothing is written to disk");
    internal static readonly Setting<string?> StateDirectory = s_make.Text("state-directory", "DIR", "Directory that remembers captures, so that the next agent reaps what a killed one left", "the socket's");
    internal static readonly Setting<TimeSpan> DefaultStopBudget = s_make.Time("default-stop-budget", "Longest stop where a call names none", "2s");
    internal static readonly Setting<TimeSpan> MaxStopBudget = s_make.Time("max-stop-budget", "Longest stop that a call can ask for", "30s");
    internal static readonly Setting<TimeSpan> MaxLease = s_make.Time("max-lease", "Longest time between two words of a client that holds a process stopped", "30s");
    internal static readonly Setting<TimeSpan> MaxHold = s_make.Time("max-hold", "Longest time that a client can hold a process stopped in all", "2m");
    internal static readonly Setting<string?> Policy = s_make.Text("policy", "FILE", "Who may do what to which processes; read again when it changes, checked by policy check", "none: whoever may use the socket may do everything");
    internal static readonly Setting<string?> AuditLog = s_make.Text("audit-log", "FILE", "Audit log: a line before and after each stop, capture and memory read", "none");
    internal static readonly Setting<int> MaxCaptures = s_make.Number("max-captures", "Most stops and captures at once", 32, 1, 1000);
    internal static readonly Setting<TimeSpan> MaxCaptureTime = s_make.Time("max-capture-time", "Longest time that a capture may take in all, its client's reading included; it then ends with CAPTURE_TIME", "2h");
    internal static readonly Setting<long> MaxCaptureBytes = s_make.Size("max-capture-bytes", "Most bytes of memory that a capture may be planned to read; above that it is refused with TARGET_TOO_LARGE", "no limit");
    internal static readonly Setting<int> MaxThreads = s_make.Number("max-threads", "Most threads of a process that is stopped or captured; above that it is refused with TARGET_TOO_LARGE", 100_000, 1, 4_194_304);
    internal static readonly Setting<int> MaxVmas = s_make.Number("max-vmas", "Most memory mappings of a process that is captured; above that it is refused with TARGET_TOO_LARGE", 262_144, 1, 1_048_576);
    internal static readonly Setting<TimeSpan> MaxStall = s_make.Time("max-stall", "How long a client may take less than 240 bytes a second before its connection is closed; at least 2s", "1m");
    internal static readonly Setting<int> MaxConnections = s_make.Number("max-connections", "Most connections at once; three quarters of them may be over TLS", 256, 4, 100_000);
    internal static readonly Setting<int> MaxStreams = s_make.Number("max-streams", "Most calls at once on one connection", 100, 1, 1000);
    internal static readonly Setting<int> Nice = s_make.Number("nice", "Nice value of the serving process; stops are made at high priority all the same", 5, 0, 19);
    internal static readonly Setting<string?> SealTo = s_make.Text("seal-to", "FILE", "Public keys of age, one a line: every snapshot is sealed to them, and nothing of a process's memory leaves unsealed");
    internal static readonly Setting<string> LogFormat = s_make.Choice("log-format", "Form of the log lines", "text", "json");
    internal static readonly Setting<TimeSpan> StopGrace = s_make.Time("stop-grace", "Longest time that captures may go on when the agent is told to stop; whoever is held stopped runs at once", "10s");
    internal static readonly Setting<string?> MetricsListen = s_make.Text("metrics-listen", "URL", "Where to serve /metrics for Prometheus, /livez and /readyz, such as http://127.0.0.1:9464", "nowhere");
    internal static readonly Setting<string?> OtlpEndpoint = s_make.Text("otlp-endpoint", "URL", "OpenTelemetry collector for traces, metrics and logs, such as http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_ENDPOINT, else none");
    internal static readonly Setting<string> OtlpProtocol = s_make.Choice("otlp-protocol", "How to talk to that collector", "grpc", "http");
    internal static readonly Setting<string> Kubernetes = s_make.Choice("kubernetes", "Whether to ask the Kubernetes API server which pod a process is in, and who calls; auto: in a pod with a service account, or where kubernetes-api is set", "auto", "on", "off");
    internal static readonly Setting<string?> KubernetesApi = s_make.Text("kubernetes-api", "URL", "The API server: https://HOST:PORT", "the pod's, by KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT");
    internal static readonly Setting<string?> KubernetesTokenFile = s_make.Text("kubernetes-token-file", "FILE", "Token that the agent shows the API server; read for each request", "that of the pod's service account");
    internal static readonly Setting<string?> KubernetesCa = s_make.Text("kubernetes-ca", "FILE", "Authorities of the API server's certificate; read at each handshake", "those of the pod's service account, or the host's where kubernetes-api is set");
    internal static readonly Setting<string?> KubernetesAudience = s_make.Text("kubernetes-audience", "TEXT", "Audience that callers' service account tokens must have been made for", "corelift-agent");
    internal static readonly Setting<string?> NodeName = s_make.Text("node-name", "NAME", "The node whose pods are known", "the environment variable NODE_NAME");
    internal static readonly Setting<string?> Supervisor = s_make.Text("supervisor", "unix:PATH", "Serve without capabilities, through a supervisor that runs in a container or unit of its own", "none: the agent starts its front end itself");
    internal static readonly Setting<string?> FrontEndUid = s_make.Text("front-end-uid", "UID", "Of 'corelift-agent supervisor': the user whose process may be the front end", "none: it must be given");

    /// <summary>All of them.</summary>
    internal static IReadOnlyList<Setting> All => s_make.Made;
}
