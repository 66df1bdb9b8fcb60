import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet task`: everything about one task, and what can be done with it.
struct TaskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "task", abstract: "Show a task, or do something with it.",
        subcommands: [Show.self, Why.self, Result.self, Logs.self, Retry.self, Move.self, Cancel.self, Delete.self],
        defaultSubcommand: Show.self)

    struct Show: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show everything about a task. (default)")
        @Argument(help: "Its id.")
        var id: String
        @Flag(help: "Its payload, too.")
        var payload = false
        @Flag(help: "Its moves, too.")
        var history = false
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("TASK.GET", .text(id))
            if payload { command.append("PAYLOAD") }
            if history { command.append("HISTORY") }
            door.show(try await door.send(command), as: Self.text)
        }

        private static let instants: Set = [
            "enqueued_at", "run_at", "started_at", "deadline", "ended_at", "keep_until",
        ]

        private static func text(_ task: RESPValue) -> String {
            let known = task.pairs.filter { $0.name != "history" && !$0.value.isNull }
            let fields = OutputTable.fields(known, instants: instants)
            guard let moves = task["history"]?.elements else { return fields }
            var table = OutputTable(["AT", "FROM", "TO", "ATTEMPT", "REASON", "KIND", "WORKER", "MESSAGE"])
            for move in moves {
                let names = ["from", "to", "attempt", "reason", "kind", "worker", "message"]
                table.add([TimeText.instant(move["at"]?.integer ?? 0)] + names.map { move[$0]?.cell ?? "-" })
            }
            return fields + "\n\n" + table.text
        }
    }

    struct Why: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "why", abstract: "Say why a task is not running now.")
        @Argument(help: "Its id.")
        var id: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("TASK.WHY", .text(id))) { reply in
                OutputTable.fields(reply.pairs.filter { !$0.value.isNull }.map { ($0.name, $0.value.cell) })
            }
        }
    }

    struct Result: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "result",
            abstract: "Print a task's result; ends with 75 when it has not ended, with 65 when it ended without one.")
        @Argument(help: "Its id.")
        var id: String
        @Option(help: "How long to wait for its end.")
        var wait: SpanArgument?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("TASK.WAIT", .integer(1), .text(id))
            if let wait { command.append("BLOCK", .integer(max(wait.milliseconds, 1))) }
            let reply = try await door.send(command, blocking: .milliseconds(wait?.milliseconds ?? 0))
            guard let end = reply.elements?.first else { throw ToolError(EX_PROTOCOL, "not the answer of a wait") }
            guard let state = end["state"]?.text else { throw ToolError(EX_NOINPUT, "no task \(id)") }
            guard TaskState.allCases.contains(where: { $0.name == state && $0.isEnded }) else {
                throw ToolError(EX_TEMPFAIL, "task \(id) is \(state): it has not ended")
            }
            guard state == TaskState.completed.name else {
                let reason = end["error"]?.text.map { ": \($0)" } ?? ""
                throw ToolError(EX_DATAERR, "task \(id) ended as \(state)\(reason)")
            }
            let result = end["result"] ?? .null
            if door.json { return print(result.json) }
            // To a file or a program as it is; a terminal must not take orders from it.
            if isatty(STDOUT_FILENO) == 1 { return print(result.isNull ? "" : result.cell) }
            writeBytes(result.bytes ?? [], to: STDOUT_FILENO)
        }
    }

    struct Logs: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "logs", abstract: "Show what a task's handlers logged.")
        @Argument(help: "Its id.")
        var id: String
        @Option(help: "Only of this attempt.")
        var attempt: Int?
        @Option(name: [.customShort("n"), .long], help: "How many lines at most.")
        var limit = 1_000
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard limit > 0 else { throw .usage("--limit must be 1 or more") }
            let filter: [RESPCommand.Argument] = attempt.map { ["ATTEMPT", .integer(Int64($0))] } ?? []
            let lines = try await door.pages("TASK.LOGS", [.text(id)] + filter, limit: limit)
            door.show(.array(lines)) { _ in
                lines.isEmpty
                    ? "no lines"
                    : lines.map { line in
                        let at = TimeText.instant(line["at"]?.integer ?? 0)
                        return "\(at) \(line["attempt"]?.cell ?? "-") \(line["line"]?.cell ?? "")"
                    }.joined(separator: "\n")
            }
        }
    }

    struct Retry: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry", abstract: "Run an ended or scheduled task now.")
        @Argument(help: "Its id.")
        var id: String
        @Flag(help: "Begin with attempt 0, so that it has all its retries again.")
        var reset = false
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("TASK.RETRY", .text(id))
            if reset { command.append("RESET") }
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Move: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "move", abstract: "Give a waiting task another priority, time or queue.")
        @Argument(help: "Its id.")
        var id: String
        @Option(help: "Its new priority, 1 to 10.")
        var priority: Int?
        @Option(name: .customLong("in"), help: "How long from now it is due; 0: now.")
        var delay: SpanArgument?
        @Option(help: "Its new queue.")
        var to: String?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard priority != nil || delay != nil || to != nil else { throw .usage("say --priority, --in or --to") }
            var command = RESPCommand("TASK.MOVE", .text(id))
            if let priority { command.append("PRIORITY", .integer(Int64(priority))) }
            if let delay { command.append("AT", .integer(TimeText.now + delay.milliseconds)) }
            if let to { command.append("QUEUE", .text(to)) }
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Cancel: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel", abstract: "Cancel a task; a running one is told at its next sign of life.")
        @Argument(help: "Its id.")
        var id: String
        @Option(help: "Why.")
        var reason: String?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("TASK.CANCEL", .text(id))
            if let reason { command.append("REASON", .text(reason)) }
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Delete: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete tasks with everything that is known of them.")
        @Argument(help: "Their ids.")
        var ids: [String]
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("TASK.DEL")
            for id in ids { command.append(.text(id)) }
            door.show(try await door.send(command)) { "\($0.cell) deleted" }
        }
    }
}
