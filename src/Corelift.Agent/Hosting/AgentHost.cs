using System.Runtime.InteropServices;
using Corelift.Agent.Access;
using Corelift.Agent.Access.Tls;
using Corelift.Agent.Audit;
using Corelift.Agent.Health;
using Corelift.Agent.Kubernetes;
using Corelift.Agent.Local;
using Corelift.Agent.Services;
using Corelift.Agent.Telemetry;
using Corelift.Capture;
using Corelift.Capture.Supervision;
using Corelift.Linux;
using Corelift.Linux.Processes;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Corelift.Agent.Hosting;

/// <summary>Puts the agent together and runs it.</summary>
internal static class AgentHost
{
    private static readonly TimeSpan s_stopPatience = TimeSpan.FromSeconds(5);

    /// <summary>Serves until SIGTERM or SIGINT, or until the supervisor has gone.</summary>
    /// <returns>Exit code.</returns>
    /// <exception cref="StartRefusedException">It cannot work as it was set up.</exception>
    internal static async Task<int> RunAsync(AgentOptions options, SupervisorConnection supervisor, CancellationToken cancellationToken)
    {
        // What can be stopped and read is for the supervisor to say: this process holds nothing.
        options = SupervisorLimitsOf(options, supervisor.Limits);
        SelfControl.MakeNonDumpable();
        SelfControl.GiveWay(options.Nice);
        SelfControl.DisableCoreDumps();
        SelfControl.CreateFilesPrivately();

        WebApplication app = Build(options, supervisor);
        await using (app.ConfigureAwait(false))
        {
            ILogger logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Corelift.Agent");
            LogStart(logger, options, supervisor.Capabilities, supervisor.Features);
            _ = app.Services.GetRequiredService<AuditTrail>(); // before anything can be asked of us
            app.Services.LogKubernetes(logger);
            try
            {
                await app.StartAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (IOException failure)
            {
                throw new StartRefusedException($"cannot listen: {failure.Message}. Name another address with --listen");
            }

            foreach (ListenAddress address in options.Listen)
            {
                logger.Serving(AgentVersion.Text, address.ToString());
            }

            if (options.Telemetry.MetricsListen is { } metrics)
            {
                logger.ServesMetrics($"http://{metrics}");
            }

            foreach (string reason in await app.Services.GetRequiredService<AgentReadiness>().AskAsync(cancellationToken).ConfigureAwait(false))
            {
                logger.NotReady(reason);
            }

            using (supervisor.Gone.Register(() => EndWithSupervisor(app, logger)))
            {
                await app.WaitForShutdownAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        return supervisor.Gone.IsCancellationRequested ? ExitCodes.Software : ExitCodes.Ok;
    }

    private static AgentOptions SupervisorLimitsOf(AgentOptions options, SupervisorLimits limits) => options with
    {
        MaxStopBudget = options.MaxStopBudget < limits.MaxStopBudget ? options.MaxStopBudget : limits.MaxStopBudget,
        MaxHold = options.MaxHold < limits.MaxHold ? options.MaxHold : limits.MaxHold,
    };

    /// <summary>Whoever was held runs already: the workers end with their supervisor. Calls are ended in order, but not for ever.</summary>
    private static void EndWithSupervisor(WebApplication app, ILogger logger)
    {
        logger.SupervisorGone();
        app.Lifetime.StopApplication();
        new Thread(() =>
        {
            MonotonicClock.Relax(2 * s_stopPatience.Ticks * 100);
            SelfControl.ExitNow(ExitCodes.Software);
        })
        {
            IsBackground = true,
            Name = "end-without-supervisor",
        }.Start();
    }

    private static WebApplication Build(AgentOptions options, SupervisorConnection supervisor)
    {
        // Nothing is read from the working directory, nor from the environment beside our own settings and OpenTelemetry's: this
        // process has power over every other.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = "/" });
        AddLogging(builder.Logging, options);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.StopGrace + s_stopPatience);
        AddServices(builder.Services, options, supervisor);
        AddServer(builder, options);
        builder.AddTelemetry(options.Telemetry);
        WebApplication app = builder.Build();
        app.UseMetricsPort(options.Telemetry.MetricsListen);
        app.Use((context, next) =>
        {
            context.Response.Headers["corelift-agent-version"] = AgentVersion.Text;
            return next(context);
        });
        app.MapGrpcService<ProcessGrpcService>();
        app.MapGrpcService<ControlGrpcService>();
        app.MapGrpcService<SnapshotGrpcService>();
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
        return app;
    }

    private static void AddServices(IServiceCollection services, AgentOptions options, SupervisorConnection supervisor)
    {
        services.AddSingleton(options);
        services.AddSingleton<ShutdownGate>();
        services.AddSingleton<ProcessDescriber>();
        services.AddSingleton(new SealingRule(options.SealTo));
        services.AddKubernetes(ApiAddress.Find(options.Kubernetes, Environment.GetEnvironmentVariable));
        services.AddSingleton<MemoryRings>();
        services.AddSingleton(_ => new CaptureEngine(ToEngine(options, supervisor.Features), supervisor));
        services.AddAccess(options);
        services.AddHostedService<EngineLifetime>();
        services.AddSingleton<TelemetryInterceptor>();
        services.AddDoors(options);
        services.AddSingleton<CallInterceptor>();
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = ServerLimits.MaxRequestBytes;
            grpc.MaxSendMessageSize = ServerLimits.MaxResponseBytes;
            grpc.EnableDetailedErrors = false;
            grpc.Interceptors.Add<TelemetryInterceptor>();
            grpc.Interceptors.Add<CallInterceptor>();
        });
        services.AddGrpcReflection();
        services.AddAgentHealth();
    }

    internal static CaptureEngineOptions ToEngine(AgentOptions options, KernelFeatures features) => new()
    {
        StateDirectory = options.StateDirectory,
        DefaultStopBudget = options.DefaultStopBudget < options.MaxStopBudget ? options.DefaultStopBudget : options.MaxStopBudget,
        MaxStopBudget = options.MaxStopBudget,
        MaxLease = options.MaxLease,
        MaxHold = options.MaxHold,
        SpoolBytes = options.SpoolBytes,
        SpoolDirectory = options.SpoolDirectory,
        MaxCaptures = options.MaxCaptures,
        MaxCaptureTime = options.MaxCaptureTime,
        Limits = options.Limits,
        Tracking = features.Tracking,
    };

    private static void AddServer(WebApplicationBuilder builder, AgentOptions options)
    {
        uint ownGid = SelfControl.EffectiveGid;
        bool idsAreWhole = PeerPolicy.ReadIdsAreWhole();

        // A group that everybody without one is in (nogroup) is nobody to trust unless it was asked for.
        uint? group = options.SocketGroup is not null ? GroupFile.Find(options.SocketGroup) : ownGid == PeerPolicy.Nobody ? null : ownGid;
        var policy = new PeerPolicy(SelfControl.EffectiveUid, group, idsAreWhole);
        builder.Services.Configure<SocketTransportOptions>(sockets => sockets.CreateBoundListenSocket = endPoint =>
            endPoint is System.Net.Sockets.UnixDomainSocketEndPoint unix
                ? UnixSocketFactory.Bind(unix.ToString(), group, options.SocketMode)
                : SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint));
        builder.WebHost.UseKestrelCore();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>, BlockPoolFactory>();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            ServerLimits.Apply(kestrel, options.Connections);
            kestrel.ListenForMetrics(options.Telemetry.MetricsListen);
            foreach (ListenAddress address in options.Listen)
            {
                Listen(kestrel, address, policy, options.Connections);
            }
        });
    }

    private static void Listen(KestrelServerOptions kestrel, ListenAddress address, PeerPolicy policy, ConnectionLimits connections)
    {
        if (address.Path is not null)
        {
            kestrel.ListenUnixSocket(address.Path, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.UsePeerPolicy(policy);
                listen.ApplicationServices.GetRequiredService<MemoryRings>().TakeFrom(listen);
                listen.UseLargeSendBuffer();
            });
        }
        else
        {
            kestrel.Listen(address.EndPoint!, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                if (address.IsTls)
                {
                    listen.UseTlsDoor(kestrel.ApplicationServices.GetRequiredService<TlsDoor>(), connections.MaxTlsConnections);
                }
                else
                {
                    listen.UseNoPeerPolicy();
                }

                listen.UseFirstWords();
            });
        }
    }

    private static void AddLogging(ILoggingBuilder logging, AgentOptions options)
    {
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Grpc", LogLevel.Warning);

        // What a client does wrong on its connection it can do as often as it likes, and each time would be a line of level critical.
        logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel.Http2", LogLevel.None);
        logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel.BadRequests", LogLevel.None);

        // Why the agent is not ready is told to whoever asks.
        logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Critical);

        // A refusal to start is said once, in words, and not as a stack trace as well.
        logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
        if (options.JsonLog)
        {
            logging.AddJsonConsole(console => console.UseUtcTimestamp = true);
        }
        else
        {
            logging.AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.UseUtcTimestamp = true;
                console.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ";
            });
        }
    }

    private static void LogStart(ILogger logger, AgentOptions options, CapabilitySet held, KernelFeatures features)
    {
        logger.KernelFeaturesFound(File.ReadAllText("/proc/sys/kernel/osrelease").Trim(), RuntimeInformation.OSArchitecture.ToString(), features.ToString());
        CapabilitySet extra = StartChecks.FindExtra(held);
        if (!extra.IsEmpty)
        {
            logger.ExtraCapabilities(extra.ToString());
        }

        if (SelfControl.EffectiveUid == PeerPolicy.Nobody)
        {
            logger.RunsAsNobody(PeerPolicy.Nobody);
        }

        if (features.YamaPtraceScope == 3)
        {
            logger.YamaForbidsTracing();
        }

        if (options.SealTo.Count > 0)
        {
            logger.SealsEverySnapshot(options.SealTo.Count, string.Join(", ", options.SealTo));
        }

        if (options.Doors.AllowAuthenticated)
        {
            logger.AllowsAuthenticated();
        }

        foreach (ListenAddress address in options.Listen.Where(address => address is { Path: null, IsTls: false }))
        {
            logger.ListensWithoutAuthentication(address.ToString());
        }
    }
}
