/// The codes a refusal starts with on the wire.
public enum ErrorCode: String, CaseIterable, Sendable {
    case error = "ERR"
    case wrongType = "WRONGTYPE"
    case noAuth = "NOAUTH"
    case wrongPassword = "WRONGPASS"
    case noPermission = "NOPERM"
    case noProtocol = "NOPROTO"
    case noTask = "NOTASK"
    case leaseLost = "LEASELOST"
    case noQueue = "NOQUEUE"
    case paused = "PAUSED"
    case queueFull = "QUEUEFULL"
    case draining = "DRAINING"
    case duplicate = "DUPLICATE"
    case tooBig = "TOOBIG"
    case limited = "LIMITED"
    case badState = "BADSTATE"
    case stopping = "STOPPING"
    case readOnly = "READONLY"
    case diskFull = "DISKFULL"
}

/// A refusal: the caller's request cannot be done. Carries the exact reply; nothing was changed.
public struct CommandError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: ErrorCode
    /// Names the thing and says what to do. Never contains CR or LF.
    public var message: String

    public init(_ code: ErrorCode, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The line on the wire, without the leading `-`.
    public var description: String { "\(code.rawValue) \(message)" }
}
