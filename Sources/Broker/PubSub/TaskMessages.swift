import MartletEngine
import MartletProtocol

/// What is told of a task's move: on `task:<queue>:<STATE>`, and in the shapes of older dashboards on `queue-updates`.
enum TaskMessages {
    static let prefix = Array("task:".utf8)
    static let updates = Array("queue-updates".utf8)

    static func channel(_ move: TaskMove) -> Bytes {
        prefix + move.queue + [UInt8(ascii: ":")] + Array(move.to.name.utf8)
    }

    /// `{"seq", "at", "id", "queue", "type", "from", "to"}`; `from` is null for a task that was added.
    static func json(_ move: TaskMove) -> Bytes {
        let from = move.from.map { "\"\($0.name)\"" } ?? "null"
        let head = "{\"seq\":\(move.place.number),\"at\":\(move.place.at),\"id\":\"\(move.id)\","
        let names = "\"queue\":\(text(move.queue)),\"type\":\(text(move.type)),"
        return Bytes("\(head)\(names)\"from\":\(from),\"to\":\"\(move.to.name)\"}".utf8)
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
