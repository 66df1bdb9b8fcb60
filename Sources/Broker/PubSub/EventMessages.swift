import MartletEngine
import MartletProtocol

/// What is told of a task's move: on `task:<queue>:<STATE>`, and in the shapes of older dashboards on `queue-updates`;
/// of a breaker's on `breaker:<name>:<state>`.
enum EventMessages {
    static let updates = Array("queue-updates".utf8)

    /// Whether something that happens is told there.
    static func isOurs(_ channel: Bytes) -> Bool {
        channel.starts(with: "task:".utf8) || channel.starts(with: "breaker:".utf8) || channel == updates
    }

    static func channel(_ event: Event) -> Bytes {
        switch event {
        case .task(let move): Array("task:".utf8) + move.queue + Array(":\(move.to.name)".utf8)
        case .breaker(let move): Array("breaker:".utf8) + move.name + Array(":\(move.to.name)".utf8)
        }
    }

    /// `{"seq", "at", "id", "queue", "type", "from", "to"}`; `from` is null for a task that was added.
    static func json(_ event: Event) -> Bytes {
        let fields = EventFields(event)
        let from = fields.from.map { "\"\($0)\"" } ?? "null"
        let head = "{\"seq\":\(event.place.number),\"at\":\(event.place.at),\"id\":\(text(fields.id)),"
        let names = "\"queue\":\(text(fields.queue)),\"type\":\(text(fields.type)),"
        return Bytes("\(head)\(names)\"from\":\(from),\"to\":\"\(fields.to)\"}".utf8)
    }

    /// `task_created` and `task_state_changed` with the depths of the task's queue after the group.
    static func update(_ move: TaskMove, _ depths: QueueDepths) -> Bytes {
        let head: String
        let shown: String
        if let from = move.from {
            head = "\"type\":\"task_state_changed\",\"task_id\":\"\(move.id)\",\"old_state\":\"\(from.name)\","
            shown =
                "\"new_state\":\"\(move.to.name)\",\"queue_depths\":{\"primary\":\(depths.primary),"
                + "\"retry\":\(depths.retry),\"scheduled\":\(depths.scheduled),\"dlq\":\(depths.dead)}"
        } else {
            head = "\"type\":\"task_created\",\"task_id\":\"\(move.id)\","
            shown = "\"queue_depths\":{\"primary\":\(depths.primary)}"
        }
        let seconds = "\(move.place.at / 1_000).\(String(move.place.at % 1_000 + 1_000).dropFirst())"
        return Bytes("{\(head)\(shown),\"queue\":\(text(move.queue)),\"timestamp\":\(seconds)}".utf8)
    }

    private static func text(_ bytes: Bytes) -> String { LogText.json(String(decoding: bytes, as: UTF8.self)) }
}
