import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet dlq`: dead letters, listed, replayed, purged.
struct DLQCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "List, replay or purge dead letters.",
        subcommands: [List.self, Replay.self, Purge.self], defaultSubcommand: List.self)

    struct List: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List dead letters; without a queue, how many each queue has. (default)")
        @Argument(help: "The queue.")
        var queue: String?
        @Flag(help: "Count them by kind of error.")
        var byKind = false
        @Option(name: [.customShort("n"), .long], help: "How many at most.")
        var limit = 50
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard limit > 0 else { throw .usage("--limit must be 1 or more") }
            guard let queue else { return try await overview(door) }
            if byKind {
                let kinds = try await door.pages("DLQ.LIST", [.text(queue), "BY", "KIND"], limit: limit)
                return door.show(.array(kinds), as: Self.kinds)
            }
            let tasks = try await door.pages("DLQ.LIST", [.text(queue)], limit: limit)
            door.show(.array(tasks)) { _ in TaskTable.text(tasks) }
        }

        private func overview(_ door: Door) async throws(ToolError) {
            let queues = try await door.call("QUEUE.LIST").elements ?? []
            let dead = queues.filter { ($0["dlq"]?.integer ?? 0) > 0 }
            let counts = dead.map { RESPValue.map([field("name", of: $0), field("dlq", of: $0)]) }
            door.show(.array(counts)) { _ in
                guard !dead.isEmpty else { return "no dead letters" }
                var table = OutputTable(["QUEUE", "DLQ"])
                for queue in dead { table.add([queue["name"]?.cell ?? "-", queue["dlq"]?.cell ?? "-"]) }
                return table.text
            }
        }

        private func field(_ name: String, of queue: RESPValue) -> RESPField {
            RESPField(.simple(name), queue[name] ?? .null)
        }

        private static func kinds(_ reply: RESPValue) -> String {
            var table = OutputTable(["KIND", "COUNT", "NEWEST", "MESSAGE"])
            for kind in reply.elements ?? [] {
                table.add([
                    kind["kind"]?.cell ?? "-", kind["count"]?.cell ?? "-", TimeText.relative(kind["newest_at"]),
                    kind["message"]?.cell ?? "-",
                ])
            }
            return table.isEmpty ? "no dead letters" : table.text
        }
    }

    struct Replay: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "replay", abstract: "Give dead letters all their attempts again; waits until it is done.")
        @Argument(help: "The queue.")
        var queue: String
        @Option(help: "Only of this type.")
        var type: String?
        @Option(help: "Only with this kind of error.")
        var kind: String?
        @Option(help: "At most so many.")
        var max: Int?
        @Option(help: "So many a second at most.")
        var rate: Int?
        @Flag(help: "Only say how many it would be.")
        var dryRun = false
        @Flag(help: "Do not wait; print the operation's id.")
        var noWait = false
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("DLQ.REPLAY", .text(queue))
            if let type { command.append("TYPE", .text(type)) }
            if let kind { command.append("KIND", .text(kind)) }
            if let max { command.append("MAX", .integer(Int64(max))) }
            if let rate { command.append("RATE", .integer(Int64(rate))) }
            if dryRun { command.append("DRYRUN") } else { command.append("REQ", .text(Door.nonce())) }
            let reply = try await door.send(command)
            if dryRun { return door.show(reply) { "\($0.cell) would be replayed" } }
            if noWait { return door.show(reply) { $0.cell } }
            let operation = try await door.operation(reply.cell)
            door.show(operation) { "\($0["done"]?.cell ?? "0") replayed, \($0["failed"]?.cell ?? "0") failed" }
            if operation["failed"]?.integer ?? 0 > 0 { throw ToolError(EX_DATAERR, "some could not be replayed") }
        }
    }

    struct Purge: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "purge", abstract: "Delete dead letters for good.")
        @Argument(help: "The queue.")
        var queue: String
        @Option(help: "Only with this kind of error.")
        var kind: String?
        @Flag(help: "Really do it.")
        var confirm = false
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard confirm else {
                let count = try await door.call("QUEUE.INFO", .text(queue))["dlq"]?.cell ?? "0"
                throw .usage("queue \(queue) has \(count) dead letters; add --confirm to delete them")
            }
            var command = RESPCommand("DLQ.PURGE", .text(queue))
            if let kind { command.append("KIND", .text(kind)) }
            door.show(try await door.send(command)) { "\($0.cell) deleted" }
        }
    }
}

extension Door {
    /// Waits until a background operation has ended, showing how far it is; its row of TASK.OPS.
    func operation(_ id: String) async throws(ToolError) -> RESPValue {
        let progress = ProgressLine()
        let started = ContinuousClock.now
        while true {
            let rows = try await call("TASK.OPS").elements ?? []
            guard let row = rows.first(where: { $0["id"]?.cell == id }) else {
                throw ToolError(EX_DATAERR, "operation \(id) is gone")
            }
            if !(row["ended"]?.isNull ?? true) {
                progress.clear()
                return row
            }
            let done = Int(row["done"]?.integer ?? 0)
            let seconds = (ContinuousClock.now - started) / .seconds(1)
            progress.show(
                ProgressLine.text(
                    done: done, of: Swift.max(done, Int(row["matched"]?.integer ?? 0)), unit: "tasks",
                    seconds: seconds))
            try? await Task.sleep(for: .milliseconds(100))
        }
    }
}
