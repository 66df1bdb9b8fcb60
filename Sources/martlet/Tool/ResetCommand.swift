import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet reset`: deletes queues with everything in them.
struct ResetCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "reset", abstract: "Delete queues and all their tasks, after showing what goes.",
        discussion: "Without --confirm it only shows what would go, and ends with 64.")

    @Argument(help: "The queues; without any, all.")
    var queues: [String] = []
    @Flag(help: "Really do it.")
    var confirm = false
    @OptionGroup var broker: BrokerOptions

    func run(_ door: Door) async throws(ToolError) {
        let doomed = try await chosen(door)
        if !door.json { print(doomed.isEmpty ? "nothing to delete" : QueueTable.text(doomed)) }
        guard confirm || doomed.isEmpty else {
            if door.json { print(RESPValue.array(doomed).json) }
            throw .usage("all of this would be deleted for good; add --confirm to do it")
        }
        let progress = ProgressLine()
        var deleted: [RESPValue] = []
        for queue in doomed {
            progress.show("\(deleted.count) of \(doomed.count) queues deleted")
            let name = queue["name"] ?? .null
            _ = try await door.call("QUEUE.DEL", .bytes(name.bytes ?? []))
            deleted.append(name)
        }
        progress.clear()
        if door.json { return print(RESPValue.map([RESPField(.simple("deleted"), .array(deleted))]).json) }
        print("\(deleted.count) queues deleted")
    }

    private func chosen(_ door: Door) async throws(ToolError) -> [RESPValue] {
        guard !queues.isEmpty else { return try await door.call("QUEUE.LIST").elements ?? [] }
        var chosen: [RESPValue] = []
        for queue in queues { chosen.append(try await door.call("QUEUE.INFO", .text(queue))) }
        return chosen
    }
}
