import MartletProtocol
import NIOCore

/// What a command comes to.
typealias Reply = Result<RESPValue, MartletError>

/// Who hears of a reply. Resumed exactly once.
enum ReplySink {
    case caller(CheckedContinuation<Reply, Never>)
    /// The answer to a prelude: nobody awaits it, but it may carry tasks.
    case stray(@Sendable (RESPValue) -> Void)
    /// The caller gave up; the reply is read and dropped.
    case nobody

    func deliver(_ reply: Reply) {
        switch self {
        case .caller(let continuation): continuation.resume(returning: reply)
        case .stray(let take):
            if case .success(let value) = reply { take(value) }
        case .nobody: break
        }
    }
}

/// A RESERVE (without BLOCK) that has to precede an `ACK … NEXT` on a connection that has not reserved yet.
struct Prelude: Sendable {
    var command: RESPCommand
    /// Gets what it reserved: tasks nobody asked for.
    var stray: @Sendable (RESPValue) -> Void
}

/// One command from the call until its reply, over as many connections as that takes.
struct PendingCommand {
    enum Role {
        case plain
        /// A RESERVE: the connection remembers it for `ACK … NEXT`.
        case reserve
        /// An `ACK … NEXT`.
        case next(Prelude)
        /// Written by the link itself; lost with its connection.
        case prelude
    }

    var id: UInt64
    var name: String
    var bytes: ByteBuffer
    /// `nil`: waits for ever.
    var deadline: NIODeadline?
    var role: Role
    var sink: ReplySink
}
