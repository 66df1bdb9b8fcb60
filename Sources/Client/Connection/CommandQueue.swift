import MartletProtocol
import NIOCore

/// The commands of one link, in the order they were given: first those sent and not answered, then those not sent.
///
/// No input or output here. Replies come in the order of the commands; when a connection is lost, everything that has
/// no reply yet is to be sent again, in the same order. That is safe because each changing command carries a nonce.
struct CommandQueue {
    private(set) var sent = CircularBuffer<PendingCommand>()
    private(set) var waiting = CircularBuffer<PendingCommand>()
    /// Bytes of both.
    private(set) var bytes = 0
    /// Whether the present connection has seen a RESERVE, which `ACK … NEXT` repeats.
    private(set) var connectionReserved = false

    var isEmpty: Bool { sent.isEmpty && waiting.isEmpty }
    var count: Int { sent.count + waiting.count }

    mutating func append(_ command: PendingCommand) {
        bytes += command.bytes.readableBytes
        waiting.append(command)
    }

    /// Writes everything that waits to `output` and counts it as sent.
    mutating func transmit(into output: inout ByteBuffer) {
        while let command = waiting.popFirst() {
            switch command.role {
            case .reserve: connectionReserved = true
            case .next(let prelude) where !connectionReserved:
                connectionReserved = true
                let lead = PendingCommand(id: 0, prelude)
                bytes += lead.bytes.readableBytes
                output.writeImmutableBuffer(lead.bytes)
                sent.append(lead)
            case .next, .plain, .prelude: break
            }
            output.writeImmutableBuffer(command.bytes)
            sent.append(command)
        }
    }

    /// The oldest unanswered command, whose reply this is; `nil`: nothing was asked.
    mutating func answered() -> PendingCommand? {
        guard let command = sent.popFirst() else { return nil }
        bytes -= command.bytes.readableBytes
        return command
    }

    /// The connection is gone: what it owes is to be sent again, before what still waits.
    mutating func connectionLost() {
        connectionReserved = false
        while let command = sent.popLast() {
            if command.isRepeatable { waiting.prepend(command) } else { bytes -= command.bytes.readableBytes }
        }
    }

    /// Takes out whoever's deadline is at or before `now`. Of those already sent, the place in the order is kept.
    mutating func expire(now: NIODeadline) -> [PendingCommand] {
        var expired: [PendingCommand] = []
        for index in sent.indices where sent[index].isDue(now) {
            expired.append(sent[index])
            sent[index].deadline = nil
            sent[index].sink = .nobody
        }
        guard waiting.contains(where: { $0.isDue(now) }) else { return expired }
        expired += waiting.filter { $0.isDue(now) }
        waiting.removeAll { $0.isDue(now) }
        bytes = (sent.map(\.bytes.readableBytes) + waiting.map(\.bytes.readableBytes)).reduce(0, +)
        return expired
    }

    /// The earliest deadline of all.
    var earliestDeadline: NIODeadline? {
        let deadlines = sent.compactMap(\.deadline) + waiting.compactMap(\.deadline)
        return deadlines.min()
    }

    /// Empties the queue; each of the returned has to be answered.
    mutating func removeAll() -> [PendingCommand] {
        let all = Array(sent) + Array(waiting)
        self = CommandQueue()
        return all
    }
}

extension PendingCommand {
    init(id: UInt64, _ prelude: Prelude) {
        var bytes = ByteBuffer()
        prelude.command.encode(into: &bytes)
        self.init(
            id: id, name: prelude.command.name, bytes: bytes, deadline: nil, role: .prelude,
            sink: .stray(prelude.stray))
    }

    func isDue(_ now: NIODeadline) -> Bool { deadline.map { $0 <= now } ?? false }

    /// Whether somebody still wants the reply, so that it is worth sending again.
    var isRepeatable: Bool {
        if case .prelude = role { return false }
        if case .nobody = sink { return false }
        return true
    }
}
