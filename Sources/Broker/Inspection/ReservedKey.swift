import MartletProtocol

/// A key under the reserved prefix `@`, which shows what is native under a Redis name.
enum ReservedKey {
    /// The lists of one queue.
    enum View: String, CaseIterable {
        case pending, scheduled, active
        case dead = "dlq"
    }

    case task(TaskID?)
    case view(queue: Bytes, View)
    /// How many tasks are in a state, over all queues.
    case stateCount(TaskState)
    case queues
    /// The stream of what happened to tasks.
    case events
    case worker(Bytes)
    /// Begins with `@` but names nothing.
    case unknown

    /// `nil`: not a reserved key.
    init?(_ key: Bytes) {
        guard key.first == UInt8(ascii: "@") else { return nil }
        if let rest = Self.rest(of: key, after: "@task:") {
            self = .task(TaskID(rest))
        } else if let rest = Self.rest(of: key, after: "@queue:") {
            self = Self.view(rest)
        } else if let rest = Self.rest(of: key, after: "@metrics:tasks:state:") {
            let name = String(decoding: rest, as: UTF8.self).uppercased()
            self = TaskState.allCases.first { $0.name == name }.map { .stateCount($0) } ?? .unknown
        } else if let rest = Self.rest(of: key, after: "@worker:") {
            self = .worker(rest)
        } else {
            self = key == Array("@queues".utf8) ? .queues : key == StreamRead.events ? .events : .unknown
        }
    }

    /// The suffix is what follows the last colon, so a queue's name may have colons.
    private static func view(_ rest: Bytes) -> ReservedKey {
        guard let colon = rest.lastIndex(of: UInt8(ascii: ":")),
            let view = View(rawValue: String(decoding: rest[(colon + 1)...], as: UTF8.self))
        else { return .unknown }
        return .view(queue: Bytes(rest[..<colon]), view)
    }

    private static func rest(of key: Bytes, after prefix: StaticString) -> Bytes? {
        let prefix = Array("\(prefix)".utf8)
        return key.starts(with: prefix) ? Bytes(key[prefix.count...]) : nil
    }

    /// What TYPE calls it.
    var type: String {
        switch self {
        case .task, .worker: "hash"
        case .view(_, .dead): "list"
        case .view: "zset"
        case .stateCount: "string"
        case .queues: "set"
        case .events: "stream"
        case .unknown: "none"
        }
    }
}
