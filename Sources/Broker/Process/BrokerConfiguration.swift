public import Logging

/// Everything that can be set about a broker, checked.
public struct BrokerConfiguration: Sendable {
    /// 0: a free one.
    public var port = 7379
    public var bind = "127.0.0.1"
    public var dataDirectory = "./martlet-data"
    /// A file whose first line is the password.
    public var passwordFile: String?
    /// Cap of the data file in bytes; past it DISKFULL.
    public var maxBytes = 1 << 40
    public var maxClients = 10_000
    public var logLevel = Logger.Level.info
    /// How long a client past its output limit may read nothing before it is dropped, in milliseconds.
    public var stallMilliseconds: Int64 = 10_000

    public init() {}
}

/// Why a broker cannot start: one line, and the exit code of sysexits that says it to scripts.
public struct StartError: Error, Sendable, CustomStringConvertible {
    public var exitCode: Int32
    public var description: String

    public init(_ exitCode: Int32, _ description: String) {
        (self.exitCode, self.description) = (exitCode, description)
    }
}
