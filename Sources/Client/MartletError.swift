public import MartletProtocol

/// Everything the client throws.
public enum MartletError: Error, Sendable, CustomStringConvertible {
    /// The broker refused the command; nothing was changed.
    case refused(Refusal)
    /// No connection, for good: what the broker said to the greeting, or that it does not speak the protocol.
    case connection(String)
    /// A payload or a value could not be turned into bytes.
    case encoding(String)
    /// Bytes from the broker, or a task's result, are not what was expected.
    case decoding(String)
    /// No answer in time. Whether the command was done is not known; the same `nonce` makes asking again safe.
    case timedOut(String)
    /// More commands outstanding than `MartletConfiguration` allows.
    case overloaded
    /// The client was closed.
    case closed
    /// The Swift task that waited was cancelled.
    case cancelled
    /// The awaited task ended without a result.
    case taskEnded(EndedTask)
    /// The limit of that name had nothing to give in time; worth asking again after so long.
    case limited(String, retryAfter: Duration)
    /// The permit's time was over before the work was done, which was cancelled then; the limit's name.
    case permitExpired(String)
    /// The breaker of that name is open: nothing was tried.
    case breakerOpen(String)

    /// The broker's error code, if it refused with one that is known here.
    public var code: ErrorCode? {
        if case .refused(let refusal) = self { return refusal.knownCode }
        return nil
    }

    /// For people; an error of the broker in its own words.
    public var description: String {
        switch self {
        case .refused(let refusal): refusal.description
        case .connection(let reason): "no connection: \(reason)"
        case .encoding(let reason): "cannot encode: \(reason)"
        case .decoding(let reason): "cannot decode: \(reason)"
        case .timedOut(let command): "\(command) was not answered in time"
        case .overloaded: "too many commands outstanding"
        case .closed: "the client is closed"
        case .cancelled: "cancelled"
        case .taskEnded(let task): task.description
        case .limited(let name, let wait): "limit '\(name)' has nothing to give for \(wait)"
        case .permitExpired(let name): "the permit of limit '\(name)' ended before the work"
        case .breakerOpen(let name): "breaker '\(name)' is open"
        }
    }
}

/// The broker's own words: a code and what to do.
public struct Refusal: Hashable, Sendable, CustomStringConvertible {
    /// Upper case, as `NOTASK`.
    public var code: String
    /// What is wrong and what to do, for people.
    public var message: String

    /// Splits an error line.
    init(line: String) {
        let parts = line.split(separator: " ", maxSplits: 1)
        code = parts.first.map(String.init) ?? "ERR"
        message = parts.count > 1 ? String(parts[1]) : ""
    }

    /// The code, if it is one that is known here.
    public var knownCode: ErrorCode? { ErrorCode(rawValue: code) }
    /// As the broker wrote it.
    public var description: String { "\(code) \(message)" }
}

/// How a task ended that has no result to give.
public struct EndedTask: Hashable, Sendable, CustomStringConvertible {
    /// The task.
    public var id: TaskID
    /// `dead`, `cancelled` or `expired`.
    public var state: TaskState
    /// The last attempt's error, if there was one.
    public var kind: String?
    /// The last attempt's message.
    public var message: String?

    /// For people; an error of the broker in its own words.
    public var description: String {
        "task \(id) ended \(state.name)" + (message.map { ": \($0)" } ?? "")
    }
}
