import MartletEngine
import MartletProtocol
import NIOCore

/// Messages on their way to those who listen. Nobody is waited for: who does not read what it subscribed to is dropped.
extension Broker {
    /// A group was committed: what it did is told, if anybody may want to hear it.
    func tellMoves() {
        hasNewMoves = !followers.isEmpty
        guard hub.hearsTasks else { return }
        let told = store.withEngine { $0.takeMoves() }
        var depths: [Bytes: QueueDepths] = [:]
        let hasUpdates = hub.audience(of: EventMessages.updates) > 0
        for event in told {
            let channel = EventMessages.channel(event)
            if hub.audience(of: channel) > 0 {
                hub.messages.append(.init(channel: channel, payload: EventMessages.json(event)))
            }
            guard hasUpdates, case .task(let move) = event else { continue }
            let now = depths[move.queue] ?? store.withEngine { $0.depths(of: move.queue) }
            depths[move.queue] = now
            hub.messages.append(.init(channel: EventMessages.updates, payload: EventMessages.update(move, now)))
        }
    }

    /// What the round published goes to those who listen; from now on the engine notes what they want to hear.
    func deliverMessages() {
        if hub.hearsTasks != isHeard {
            isHeard = hub.hearsTasks
            store.withEngine { $0.tellMoves(isHeard: isHeard) }
        }
        guard !hub.messages.isEmpty else { return }
        let messages = hub.messages
        hub.messages.removeAll(keepingCapacity: messages.count <= 1_024)
        for message in messages {
            hub.forEachListener(of: message.channel) { deliver(message, $1, to: $0) }
        }
    }

    private func deliver(_ message: Hub.Message, _ pattern: Bytes?, to connection: Connection) {
        guard !connection.isClosing, !connection.isClosed else { return }
        guard !connection.isFull else { return drop(connection, "it does not read what it subscribed to") }
        begin(connection)
        connection.output.outOfBand(pattern == nil ? 3 : 4)
        if let pattern {
            connection.output.bulk("pmessage")
            connection.output.bulk(pattern)
        } else {
            connection.output.bulk("message")
        }
        connection.output.bulk(message.channel)
        connection.output.bulk(message.payload)
    }
}

extension ReplyWriter {
    /// A push; for RESP2 an array.
    mutating func outOfBand(_ count: Int) { version == .three ? push(count) : array(count) }
}
