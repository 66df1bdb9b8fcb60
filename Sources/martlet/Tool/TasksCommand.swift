import ArgumentParser
import MartletProtocol

/// `martlet tasks`: lists tasks.
struct TasksCommand: BrokerCommand {
    static let configuration = CommandConfiguration(commandName: "tasks", abstract: "List tasks.")

    @Argument(help: "The queue; without it those of all queues.")
    var queue = "*"
    @Option(
        help: "Only in this state: SCHEDULED, PENDING, ACTIVE, COMPLETED, DLQ, CANCELLED, EXPIRED, BLOCKED or FAILED.")
    var state: String?
    @Option(help: "Only of this type.")
    var type: String?
    @Option(help: "Only with this tag.")
    var tag: String?
    @Option(help: "Only with this kind of error.")
    var kind: String?
    @Option(help: "Only in this worker's hands.")
    var worker: String?
    @Option(help: "Only of this group.")
    var group: String?
    @Option(help: "Only those whose id begins with this, of all queues; alone.")
    var id: String?
    @Option(help: "The order: added, run or ended. (default: added)")
    var by: String?
    @Flag(help: "The newest first.")
    var reverse = false
    @Option(name: [.customShort("n"), .long], help: "How many at most.")
    var limit = 50
    @OptionGroup var broker: BrokerOptions

    func run(_ door: Door) async throws(ToolError) {
        guard limit > 0 else { throw .usage("--limit must be 1 or more") }
        if let id {
            let others = [state, type, tag, kind, worker, group, by].compactMap(\.self)
            guard others.isEmpty, queue == "*", !reverse else { throw .usage("--id goes without other filters") }
            let tasks = try await door.tasks(idPrefix: id, limit: limit)
            return door.show(.array(tasks)) { _ in TaskTable.text(tasks) }
        }
        var filter: [RESPCommand.Argument] = []
        let options = [("STATE", state), ("TYPE", type), ("TAG", tag), ("KIND", kind), ("WORKER", worker)]
        for (name, value) in options + [("GROUP", group), ("BY", by)] {
            guard let value else { continue }
            let isWord = name == "STATE" || name == "BY"
            filter += [.text(name), .text(isWord ? value.uppercased() : value)]
        }
        if reverse { filter.append("REV") }
        let tasks = try await door.pages("TASK.LIST", [.text(queue)] + filter, limit: limit)
        door.show(.array(tasks)) { _ in TaskTable.text(tasks) }
    }
}

extension Door {
    /// Those whose id begins so, in its order. An id that ended meanwhile for good is left out.
    func tasks(idPrefix: String, limit: Int) async throws(ToolError) -> [RESPValue] {
        guard idPrefix.allSatisfy({ $0.isHexDigit || $0 == "-" }) else {
            throw .usage("'\(idPrefix)' begins no id; ids look like 0199d3a1-7c40-7000-81f3-5b0c9e2a7d41")
        }
        var tasks: [RESPValue] = []
        var cursor = "0"
        repeat {
            let pattern = "@task:\(idPrefix.lowercased())*"
            let reply = try await call("SCAN", .text(cursor), "MATCH", .text(pattern)).elements ?? []
            for key in reply.last?.elements ?? [] where tasks.count < limit {
                let id = key.text?.dropFirst("@task:".count) ?? ""
                if let task = try await optional("TASK.GET", .text(String(id))) { tasks.append(task) }
            }
            cursor = reply.first?.text ?? "0"
        } while cursor != "0" && tasks.count < limit
        return tasks
    }

    /// Pages of a listing, put together until there are `limit` entries or no more.
    func pages(
        _ name: String, _ arguments: [RESPCommand.Argument], limit: Int
    ) async throws(ToolError) -> [RESPValue] {
        var entries: [RESPValue] = []
        var cursor = "0"
        repeat {
            var command = RESPCommand(name)
            for argument in arguments { command.append(argument) }
            command.append("CURSOR", .text(cursor))
            command.append("COUNT", .integer(Int64(min(limit - entries.count, 1_000))))
            let reply = try await send(command).elements ?? []
            entries += reply.last?.elements ?? []
            cursor = reply.first?.text ?? "0"
        } while cursor != "0" && entries.count < limit
        return Array(entries.prefix(limit))
    }
}

/// Tasks as people look at them in lists.
enum TaskTable {
    static func text(_ tasks: [RESPValue]) -> String {
        guard !tasks.isEmpty else { return "no tasks" }
        var table = OutputTable(["ID", "QUEUE", "TYPE", "STATE", "PRIO", "ATTEMPT", "DUE", "ENDED", "ERROR"])
        for task in tasks {
            let field = { (name: String) in task[name]?.cell ?? "-" }
            let isEnded = !(task["ended_at"]?.isNull ?? true)
            table.add([
                field("id"), field("queue"), field("type"), field("state"), field("priority"), field("attempt"),
                isEnded ? "-" : TimeText.relative(task["run_at"]), TimeText.relative(task["ended_at"]),
                field("last_error"),
            ])
        }
        return table.text
    }
}
