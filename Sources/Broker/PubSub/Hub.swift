import MartletEngine
import MartletProtocol

/// Who listens to which channel, and what is to be told them at the end of the round.
struct Hub {
    struct Message {
        var channel: Bytes
        var payload: Bytes
    }

    private struct Pattern {
        let glob: Glob
        var listeners: [CallerID: Connection] = [:]
    }

    private var channels: [Bytes: [CallerID: Connection]] = [:]
    private var patterns: [Bytes: Pattern] = [:]
    /// Channels with listeners that tell what happens to tasks.
    private var taskChannels = 0
    /// What the round published; a group that is given up takes its part back.
    var messages: [Message] = []

    /// Somebody may hear what happens to tasks.
    var hearsTasks: Bool { taskChannels > 0 || !patterns.isEmpty }

    var patternCount: Int { patterns.count }

    /// The channels with listeners, those that match.
    func channels(matching pattern: Glob?) -> [Bytes] { channels.keys.filter { pattern?.matches($0) ?? true } }

    func listeners(of channel: Bytes) -> Int { channels[channel]?.count ?? 0 }

    /// How many would hear what is published there.
    func audience(of channel: Bytes) -> Int {
        var count = listeners(of: channel)
        for pattern in patterns.values where pattern.glob.matches(channel) { count += pattern.listeners.count }
        return count
    }

    /// Calls `body` with everybody who hears a channel, and the pattern because of which.
    func forEachListener(of channel: Bytes, _ body: (Connection, Bytes?) -> Void) {
        for connection in channels[channel, default: [:]].values { body(connection, nil) }
        for (name, pattern) in patterns where pattern.glob.matches(channel) {
            for connection in pattern.listeners.values { body(connection, name) }
        }
    }

    mutating func enter(_ connection: Connection, _ name: Bytes, isPattern: Bool) {
        if isPattern {
            patterns[name, default: Pattern(glob: Glob(name))].listeners[connection.id] = connection
            connection.subscriptions.patterns.insert(name)
        } else {
            if channels[name] == nil, EventMessages.isOurs(name) { taskChannels += 1 }
            channels[name, default: [:]][connection.id] = connection
            connection.subscriptions.channels.insert(name)
        }
    }

    mutating func leave(_ connection: Connection, _ name: Bytes, isPattern: Bool) {
        if isPattern {
            guard connection.subscriptions.patterns.remove(name) != nil else { return }
            patterns[name]?.listeners[connection.id] = nil
            if patterns[name]?.listeners.isEmpty == true { patterns[name] = nil }
        } else {
            guard connection.subscriptions.channels.remove(name) != nil else { return }
            channels[name]?[connection.id] = nil
            guard channels[name]?.isEmpty == true else { return }
            channels[name] = nil
            if EventMessages.isOurs(name) { taskChannels -= 1 }
        }
    }

    mutating func leaveAll(_ connection: Connection) {
        for name in connection.subscriptions.channels { leave(connection, name, isPattern: false) }
        for name in connection.subscriptions.patterns { leave(connection, name, isPattern: true) }
    }
}

/// What a connection listens to.
struct Subscriptions {
    var channels: Set<Bytes> = []
    var patterns: Set<Bytes> = []

    var count: Int { channels.count + patterns.count }
}

/// How much may be listened to.
enum HubLimits {
    /// Channels and patterns of one connection.
    static let subscriptions = 10_000
    /// Different patterns of all connections: each message is held against all of them.
    static let patterns = 1_000
    /// Bytes of a channel's name or a pattern.
    static let name = 1_024
}
