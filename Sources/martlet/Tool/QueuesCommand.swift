import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet queues`: all queues, or one; what holds for it; pause, drain and resume.
struct QueuesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queues", abstract: "List queues, or set, pause, drain, resume and purge one.",
        subcommands: [List.self, Options.self, Set.self, Pause.self, Drain.self, Resume.self, Purge.self],
        defaultSubcommand: List.self)

    struct List: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List queues with their counts. (default)")
        @Argument(help: "Everything about this queue alone.")
        var queue: String?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            if let queue {
                door.show(try await door.call("QUEUE.INFO", .text(queue))) { OutputTable.fields($0) }
            } else {
                door.show(try await door.call("QUEUE.LIST")) { QueueTable.text($0.elements ?? []) }
            }
        }
    }

    struct Options: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "options", abstract: "Show what holds for a queue and its tasks.")
        @Argument(help: "The queue.")
        var queue: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("QUEUE.GET", .text(queue))) { OutputTable.fields($0) }
        }
    }

    struct Set: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Set options of a queue; it appears with that.",
            discussion: "As fair=on groupconcurrency=4 keep=7d 'backoff=fixed 2s'; default as a value takes one back. "
                + "What there is to set, martlet queues options shows.")
        @Argument(help: "The queue.")
        var queue: String
        @Argument(help: "Options, as name=value.")
        var options: [String]
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("QUEUE.SET", .text(queue))
            for option in options {
                for word in try QueueOptionArgument(option).words { command.append(.text(word)) }
            }
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Pause: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause", abstract: "Hold a queue: no hand-outs, no new tasks, or neither.")
        @Argument(help: "The queue.")
        var queue: String
        @Option(help: "in: no new tasks; out: no hand-outs; all: neither. (default: out)")
        var side = "out"
        @Option(name: .customLong("for"), help: "For how long; without it until it is resumed.")
        var span: SpanArgument?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("QUEUE.PAUSE", .text(queue), .text(side.uppercased()))
            if let span { command.append("FOR", .integer(span.milliseconds)) }
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Drain: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "drain",
            abstract: "Take no more tasks into a queue until it is resumed; ends with 75 "
                + "when --wait passes before its tasks have ended.")
        @Argument(help: "The queue.")
        var queue: String
        @Option(help: "How long to wait until its tasks have ended.")
        var wait: SpanArgument?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("QUEUE.DRAIN", .text(queue))
            if let wait { command.append("BLOCK", .integer(max(wait.milliseconds, 1))) }
            let reply = try await door.send(command, blocking: .milliseconds(wait?.milliseconds ?? 0))
            guard !reply.isNull else { throw ToolError(EX_TEMPFAIL, "queue \(queue) still has tasks") }
            door.show(reply) { $0.cell }
        }
    }

    struct Resume: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume", abstract: "Let a paused or draining queue go on.")
        @Argument(help: "The queue.")
        var queue: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("QUEUE.RESUME", .text(queue))) { $0.cell }
        }
    }
}

extension QueuesCommand {
    struct Purge: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "purge", abstract: "Delete a queue's tasks of one state for good.")
        @Argument(help: "The queue.")
        var queue: String
        @Option(help: "Their state: pending, scheduled, completed …")
        var state: String
        @Flag(help: "Really do it.")
        var confirm = false
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard confirm else {
                let count = try await door.call("QUEUE.INFO", .text(queue))[state.lowercased()]?.cell ?? "no"
                throw .usage("queue \(queue) has \(count) tasks that are \(state); add --confirm to delete them")
            }
            var command = RESPCommand("QUEUE.PURGE", .text(queue), "STATE", .text(state.uppercased()))
            command.append("REQ", .text(Door.nonce()))
            door.show(try await door.send(command)) { "\($0.cell) deleted" }
        }
    }
}

/// Queues as people look at them in lists.
enum QueueTable {
    private static let columns = [
        ("QUEUE", "name"), ("PENDING", "pending"), ("SCHEDULED", "scheduled"), ("ACTIVE", "active"),
        ("BLOCKED", "blocked"), ("DLQ", "dlq"), ("COMPLETED", "completed"), ("ADDED", "total_added"),
        ("FAILED", "total_failed"), ("WORKERS", "workers"),
    ]

    static func text(_ queues: [RESPValue]) -> String {
        queues.isEmpty ? "no queues" : table(queues).text
    }

    static func table(_ queues: [RESPValue]) -> OutputTable {
        var table = OutputTable(columns.map(\.0) + ["OLDEST", "NOTE"])
        for queue in queues {
            let oldest = queue["oldest_ms"]?.integer.map { TimeText.span($0) } ?? "-"
            let notes = ["paused", "draining", "lagging"].filter { queue[$0]?.boolean == true }
            table.add(columns.map { queue[$0.1]?.cell ?? "-" } + [oldest, notes.joined(separator: ",")])
        }
        return table
    }
}
