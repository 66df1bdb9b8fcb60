import MartletEngine
import MartletProtocol

/// What is special about a command.
struct CommandFlags: OptionSet, Sendable {
    let rawValue: Int
    /// Changes something that is stored.
    static let write = CommandFlags(rawValue: 1 << 0)
    static let readonly = CommandFlags(rawValue: 1 << 1)
    /// Needs new room: refused while there is little.
    static let denyOutOfMemory = CommandFlags(rawValue: 1 << 2)
    /// Hands work out: refused while there is hardly room left to finish what is in hand.
    static let handsOut = CommandFlags(rawValue: 1 << 3)
    static let admin = CommandFlags(rawValue: 1 << 4)
    /// Allowed before AUTH.
    static let noAuth = CommandFlags(rawValue: 1 << 5)
    static let blocking = CommandFlags(rawValue: 1 << 6)
    static let fast = CommandFlags(rawValue: 1 << 7)
    static let loading = CommandFlags(rawValue: 1 << 8)
    /// Its arguments are not shown to anybody who watches.
    static let secret = CommandFlags(rawValue: 1 << 9)
    /// Allowed in RESP2 while the connection listens to channels.
    static let whileSubscribed = CommandFlags(rawValue: 1 << 10)

    /// The names COMMAND gives, those of Redis.
    static let names: [(CommandFlags, String)] = [
        (.write, "write"), (.readonly, "readonly"), (.denyOutOfMemory, "denyoom"), (.admin, "admin"),
        (.noAuth, "no_auth"), (.blocking, "blocking"), (.fast, "fast"), (.loading, "loading"),
    ]
}

/// How a command is run: by what it needs.
enum CommandRun: Sendable {
    /// Parses to an operation that may change something: runs inside a group.
    case write(@Sendable (inout ArgumentCursor, Connection) throws(CommandError) -> Operation)
    /// Parses to an operation that changes nothing: runs on a snapshot.
    case read(@Sendable (inout ArgumentCursor, Connection) throws(CommandError) -> Operation)
    /// Looks at the reserved keys: runs on a snapshot.
    case inspect(@Sendable (inout ArgumentCursor) throws(CommandError) -> Inspection)
    /// Concerns the connection or the process only; writes its reply itself.
    case local(@Sendable (inout ArgumentCursor, Connection, Broker) throws(CommandError) -> Void)
}

/// One row of the command table: everything the broker knows about a command.
final class Command: Sendable {
    let name: String
    /// How many arguments, the name included.
    let arity: ClosedRange<Int>
    let flags: CommandFlags
    /// The arguments after the name.
    let usage: String
    let summary: String
    let group: String
    /// The version of the broker that had it first.
    let since: String
    /// What it answers.
    let reply: String
    let run: CommandRun

    init(
        _ name: String, _ arity: ClosedRange<Int>, _ flags: CommandFlags, usage: String = "", summary: String,
        group: String, since: String = "0.1.0", reply: String, run: CommandRun
    ) {
        (self.name, self.arity, self.flags, self.usage, self.summary) = (name, arity, flags, usage, summary)
        (self.group, self.since, self.reply, self.run) = (group, since, reply, run)
    }

    /// Redis' form of the arity: negative for "at least".
    var redisArity: Int { arity.lowerBound == arity.upperBound ? arity.lowerBound : -arity.lowerBound }
}

extension ClosedRange where Bound == Int {
    static func atLeast(_ least: Int) -> ClosedRange<Int> { least...Int.max }
    static func exactly(_ count: Int) -> ClosedRange<Int> { count...count }
}
