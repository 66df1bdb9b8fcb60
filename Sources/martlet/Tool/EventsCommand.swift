import ArgumentParser
import MartletClient
import MartletProtocol

/// `martlet events`: what happened to tasks, and what happens.
struct EventsCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what happened to tasks, or follow what happens.",
        discussion: "With --json each event is a line of its own; its position is what --after takes.")

    @Option(name: [.customShort("n"), .long], help: "How many of the newest.")
    var limit = 20
    @Option(help: "Instead of -n: those after this position, as 1767225600000-17.")
    var after: String?
    @Flag(name: .shortAndLong, help: "Go on until interrupted.")
    var follow = false
    @Option(help: "Only of this queue.")
    var queue: String?
    @OptionGroup var broker: BrokerOptions

    func run(_ door: Door) async throws(ToolError) {
        guard limit > 0 else { throw .usage("--limit must be 1 or more") }
        var position = after ?? EventPosition.start.text
        let past = try await past(door)
        for entry in past { show(entry, door) }
        if let last = past.last?.elements?.first?.text { position = last }
        guard follow else { return }
        do throws(MartletError) {
            var events = door.client.events(after: EventPosition(text: position)).makeAsyncIterator()
            while let event = try await events.next() {
                let fields = [
                    ("seq", "\(event.sequence)"), ("at", "\(event.at)"), ("id", "\(event.id)"),
                    ("queue", event.queue), ("type", event.type), ("from", event.from?.name ?? ""),
                    ("to", event.to.name),
                ]
                let words = fields.flatMap { [RESPValue.simple($0.0), RESPValue.simple($0.1)] }
                show(.array([.simple(event.position.text), .array(words)]), door)
            }
        } catch {
            throw ToolError(error, place: door.place)
        }
    }

    /// The stream has texts only: numbers as numbers, and no state as none.
    private static func typed(_ field: (name: String, value: RESPValue)) -> RESPValue {
        switch field.name {
        case "seq", "at": field.value.text.flatMap(Int64.init).map(RESPValue.integer) ?? field.value
        case "from" where field.value.text == "": .null
        default: field.value
        }
    }

    private func past(_ door: Door) async throws(ToolError) -> [RESPValue] {
        guard let after else {
            let count = RESPCommand.Argument.integer(Int64(limit))
            return (try await door.call("XREVRANGE", "@events", "+", "-", "COUNT", count).elements ?? []).reversed()
        }
        // Following reads them by itself.
        return follow ? [] : try await door.call("XRANGE", "@events", .text("(\(after)"), "+").elements ?? []
    }

    private func show(_ entry: RESPValue, _ door: Door) {
        guard let place = entry.elements?.first, let fields = entry.elements?.last?.pairs else { return }
        let text = { (name: String) in fields.first { $0.name == name }?.value.cell ?? "" }
        if let queue, queue != fields.first(where: { $0.name == "queue" })?.value.text { return }
        let all = [RESPField(.simple("position"), place)] + fields.map { RESPField(.simple($0.name), Self.typed($0)) }
        let at = TimeText.instant(Int64(text("at")) ?? 0)
        let move = (text("from").isEmpty ? "" : text("from") + " -> ") + text("to")
        writeLine(
            door.json ? RESPValue.map(all).json : "\(at) \(text("id")) \(text("queue")) \(text("type")) \(move)", to: 1)
    }
}
