using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Corelift.Agent.Access.Tls;

/// <summary>
/// Certificate, key and CAs of the TLS doors, read again when their files change. A handshake goes by what was read last;
/// connections that are there already stay as they are. Files that cannot be used change nothing but a line in the log.
/// </summary>
internal sealed class TlsDoor : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    private readonly TlsFiles _files;
    private readonly bool _certificateIsOptional;
    private readonly ILogger<TlsDoor> _logger;
    private readonly LogLimiter _limiter = new();
    private FileStamp _stamp;
    private string? _problem;
    private volatile SslServerAuthenticationOptions _options;

    /// <param name="files">What to read.</param>
    /// <param name="certificateIsOptional">Whether clients may come without a certificate, because they may have a token.</param>
    /// <param name="logger">Told of files that cannot be used, and of certificates that are not taken.</param>
    /// <exception cref="TlsFileException">The files cannot be used as they are now.</exception>
    public TlsDoor(TlsFiles files, bool certificateIsOptional, ILogger<TlsDoor> logger)
    {
        _files = files;
        _certificateIsOptional = certificateIsOptional;
        _logger = logger;
        _stamp = FileStamp.Of(files.Paths);
        _options = Take(TlsMaterial.Load(files, DateTimeOffset.UtcNow));
    }

    /// <summary>What the next handshake goes by.</summary>
    internal SslServerAuthenticationOptions Options => _options;

    /// <summary>Looks at the files, and reads them if they changed, or could not be used the last time.</summary>
    internal void Look()
    {
        FileStamp now = FileStamp.Of(_files.Paths);
        if (now == _stamp && _problem is null)
        {
            return;
        }

        try
        {
            TlsMaterial material = TlsMaterial.Load(_files, DateTimeOffset.UtcNow);
            if (FileStamp.Of(_files.Paths) != now)
            {
                return; // they change just now: next time
            }

            _options = Take(material);
            _stamp = now;
            _problem = null;
        }
        catch (Exception failure) when (failure is TlsFileException or CryptographicException or ArgumentException)
        {
            if (failure.Message != _problem)
            {
                _problem = failure.Message;
                _logger.TlsFilesNotTaken(AgentLog.Escape(failure.Message));
            }
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(s_interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                Look();
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }
    }

    private SslServerAuthenticationOptions Take(TlsMaterial material)
    {
        X509Certificate2 certificate = material.Certificate;
        _logger.TlsFilesTaken(
            AgentLog.Escape(certificate.Subject), certificate.NotAfter.ToUniversalTime().ToString("u", CultureInfo.InvariantCulture), material.ClientCas?.Count ?? 0);
        return material.ToOptions(_certificateIsOptional, Refused);
    }

    private void Refused(X509Certificate? certificate, string why)
    {
        if (_limiter.Allows())
        {
            _logger.CertificateRefused(certificate is null ? "a client" : AgentLog.Escape(certificate.Subject), AgentLog.Escape(why));
        }
    }
}
