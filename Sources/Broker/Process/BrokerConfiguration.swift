public import Logging
import MartletProtocol
public import MartletStorage

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
    /// When a group of changes is durable.
    public var durability = Durability.always
    /// Bytes of the journal in front of the data file; 0: none.
    public var journalBytes = EnvironmentOptions.defaultJournal
    public var maxClients = 10_000
    /// How long commands of several clients wait for others to share their commit.
    public var commitDelayMicroseconds: Int64 = 0
    /// How long a client may be idle before it is disconnected, in milliseconds; 0: for ever.
    public var idleMilliseconds: Int64 = 0
    /// How many bytes of replies may wait to be read, over all clients, but for the one write each is receiving; past
    /// it the worst is dropped. One client may have a quarter of it: then its commands wait until it has read.
    public var outputBytes = 64 * 1024 * 1024
    /// So many times `outputBytes` may wait with the writes being received: a client that reads a large reply is not
    /// dropped for it, but many cannot have one each and leave it unread.
    static let outputTimes = 4
    /// How many bytes may wait to be parsed, over all clients; past it the largest is dropped.
    public var inputBytes = 256 * 1024 * 1024
    /// Whether the stream of events keeps what happens to tasks, and how many moves at least.
    public var keepsEvents = true
    public var keptEvents: Int64 = 100_000
    public var logLevel = Logger.Level.info
    public var logFormat = LogFormat.text
    /// How long a client past its output limit may read nothing before it is dropped, in milliseconds.
    public var stallMilliseconds: Int64 = 10_000
    /// Every setting with its value and where that comes from, in the order of the table; empty unless it was loaded.
    public internal(set) var settings: [ChosenSetting] = []

    public init() {}

    /// Bytes of unread replies past which a client's commands wait.
    var outputOfOne: Int { outputBytes / 4 }

    /// Bytes of unread replies of all clients, past which the one with the most is dropped: room for two of the largest
    /// hand-outs at least.
    var outputInAll: Int {
        max(outputBytes * Self.outputTimes, 2 * (Limits.reservePayload + Limits.payload))
    }
}

/// Why a broker cannot start: one line, and the exit code of sysexits that says it to scripts.
public struct StartError: Error, Sendable, CustomStringConvertible {
    public var exitCode: Int32
    public var description: String

    public init(_ exitCode: Int32, _ description: String) {
        (self.exitCode, self.description) = (exitCode, description)
    }
}
