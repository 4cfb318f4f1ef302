namespace Corelift.Linux;

/// <summary>
/// Error numbers of system calls (errno(3)) that the project meets, with the values of asm-generic/errno.h, which
/// x86-64 and AArch64 share. A value without a name here is kept as its number.
/// </summary>
public enum Errno
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>Not permitted: a capability is missing, or a security module refuses.</summary>
    NotPermitted = 1, // EPERM

    /// <summary>No such file or directory.</summary>
    NoSuchFile = 2, // ENOENT

    /// <summary>No such process or task; of ptrace: not stopped, or not traced by this thread.</summary>
    NoSuchTask = 3, // ESRCH

    /// <summary>A signal interrupted the call.</summary>
    Interrupted = 4, // EINTR

    /// <summary>Input or output failed; of a mem file: nothing readable at that address.</summary>
    InputOutput = 5, // EIO

    /// <summary>No such device or address.</summary>
    NoSuchDeviceOrAddress = 6, // ENXIO

    /// <summary>Argument list too long.</summary>
    ArgumentListTooLong = 7, // E2BIG

    /// <summary>Not an open descriptor.</summary>
    BadDescriptor = 9, // EBADF

    /// <summary>No child to wait for.</summary>
    NoChild = 10, // ECHILD

    /// <summary>Try again; a non-blocking call would block.</summary>
    TryAgain = 11, // EAGAIN

    /// <summary>Out of memory.</summary>
    OutOfMemory = 12, // ENOMEM

    /// <summary>The mode of a file, or who owns it, refuses.</summary>
    AccessDenied = 13, // EACCES

    /// <summary>Bad address.</summary>
    BadAddress = 14, // EFAULT

    /// <summary>Busy.</summary>
    Busy = 16, // EBUSY

    /// <summary>Exists already.</summary>
    Exists = 17, // EEXIST

    /// <summary>No such device.</summary>
    NoSuchDevice = 19, // ENODEV

    /// <summary>Not a directory.</summary>
    NotADirectory = 20, // ENOTDIR

    /// <summary>Is a directory.</summary>
    IsADirectory = 21, // EISDIR

    /// <summary>Invalid argument; often a feature that the kernel lacks.</summary>
    InvalidArgument = 22, // EINVAL

    /// <summary>Too many open descriptors on the host.</summary>
    TooManyFilesOnHost = 23, // ENFILE

    /// <summary>Too many open descriptors in this process.</summary>
    TooManyFiles = 24, // EMFILE

    /// <summary>Not supported by this kind of descriptor.</summary>
    InappropriateControl = 25, // ENOTTY

    /// <summary>No space left.</summary>
    NoSpace = 28, // ENOSPC

    /// <summary>Read-only file system.</summary>
    ReadOnlyFileSystem = 30, // EROFS

    /// <summary>Nobody reads the other end.</summary>
    BrokenPipe = 32, // EPIPE

    /// <summary>Result too large.</summary>
    OutOfRange = 34, // ERANGE

    /// <summary>File name too long.</summary>
    NameTooLong = 36, // ENAMETOOLONG

    /// <summary>The kernel does not have this system call, or a filter says so.</summary>
    NotImplemented = 38, // ENOSYS

    /// <summary>Too many symbolic links.</summary>
    TooManyLinks = 40, // ELOOP

    /// <summary>No data available.</summary>
    NoData = 61, // ENODATA

    /// <summary>Value too large for its type.</summary>
    Overflow = 75, // EOVERFLOW

    /// <summary>Protocol option not available.</summary>
    NoProtocolOption = 92, // ENOPROTOOPT

    /// <summary>Operation not supported.</summary>
    NotSupported = 95, // EOPNOTSUPP

    /// <summary>Address in use.</summary>
    AddressInUse = 98, // EADDRINUSE

    /// <summary>The other end went away.</summary>
    ConnectionReset = 104, // ECONNRESET

    /// <summary>Timed out.</summary>
    TimedOut = 110, // ETIMEDOUT

    /// <summary>Nobody listens there.</summary>
    ConnectionRefused = 111, // ECONNREFUSED
}
