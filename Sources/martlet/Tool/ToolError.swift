import Glibc
import MartletClient

/// Why a command of the tool did not do what it was asked: what to do about it, and an exit code of sysexits.
struct ToolError: Error, CustomStringConvertible {
    var exitCode: Int32
    var description: String

    init(_ exitCode: Int32, _ description: String) { (self.exitCode, self.description) = (exitCode, description) }

    static func usage(_ description: String) -> ToolError { ToolError(EX_USAGE, description) }

    /// What the client threw while it talked to the broker at `place`.
    init(_ error: MartletError, place: String) {
        switch error {
        case .refused(let refusal): self.init(Self.code(refusal), refusal.description)
        case .connection(let reason) where reason.hasPrefix("NOAUTH") || reason.hasPrefix("WRONGPASS"):
            self.init(EX_NOPERM, "the broker at \(place) wants a password: name its file with --password-file")
        case .connection(let reason):
            self.init(
                EX_UNAVAILABLE,
                "no broker at \(place): \(Self.short(reason)); start one with martlet serve, or name another with "
                    + "--port or --url")
        case .timedOut: self.init(EX_TEMPFAIL, "the broker at \(place) did not answer in time; it may be busy")
        case .overloaded, .closed, .cancelled, .limited, .permitExpired, .breakerOpen:
            self.init(EX_TEMPFAIL, error.description)
        case .encoding, .decoding, .taskEnded: self.init(EX_PROTOCOL, error.description)
        }
    }

    /// The reason without the address, which NIO repeats.
    private static func short(_ reason: String) -> String {
        reason.contains("Connection refused") ? "connection refused" : String(reason.prefix(200))
    }

    /// How the broker says that there is nothing of that name.
    private static let missing = ["limit", "breaker", "cron entry", "batch", "worker"].map { "no such \($0) '" }

    /// How it says that it does one long thing at a time, and that the operating system would not let it write.
    private static let (busy, failed) = ("a BROKER.CHECK or BROKER.SNAPSHOT is under way", "cannot ")

    private static func code(_ refusal: Refusal) -> Int32 {
        switch refusal.code {
        case "NOTASK", "NOQUEUE": EX_NOINPUT
        case "NOAUTH", "WRONGPASS", "NOPERM": EX_NOPERM
        case "PAUSED", "QUEUEFULL", "DRAINING", "LIMITED", "STOPPING", "READONLY", "DISKFULL": EX_TEMPFAIL
        case "ERR" where refusal.message.hasPrefix("unknown command"): EX_PROTOCOL
        case "ERR" where missing.contains(where: refusal.message.hasPrefix): EX_NOINPUT
        case "ERR" where refusal.message.hasPrefix(Self.busy): EX_TEMPFAIL
        case "ERR" where refusal.message.hasPrefix(Self.failed): EX_CANTCREAT
        case "ERR", "TOOBIG": EX_USAGE
        default: EX_DATAERR
        }
    }
}
