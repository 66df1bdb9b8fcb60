public import MartletProtocol

/// A place in the stream of events. Keep the last one that was dealt with, to go on from there after a restart.
public struct EventPosition: Hashable, Sendable, CustomStringConvertible {
    /// As the broker writes it: `1767225600000-17`.
    public var text: String

    /// A position that was kept as text.
    public init(text: String) { self.text = text }
    /// As `text`.
    public var description: String { text }

    /// Before everything the broker still has.
    public static let start = EventPosition(text: "0-0")
}

/// A task was added or came into another state.
public struct TaskEvent: Sendable {
    /// Where it stands in the stream.
    public var position: EventPosition
    /// Rises with every event.
    public var sequence: Int64
    /// When it happened, in Unix milliseconds; never falls.
    public var at: Timestamp
    /// The task.
    public var id: TaskID
    /// The task's queue.
    public var queue: String
    /// The task's type.
    public var type: String
    /// `nil`: it was added.
    public var from: TaskState?
    /// The state it came into.
    public var to: TaskState

    /// Reads `[id, [field, value, …]]`.
    init(_ entry: RESPValue) throws(MartletError) {
        let (place, fields) = try Self.parts(of: entry)
        position = place
        sequence = try fields.decimal("seq")
        at = try fields.decimal("at")
        id = try fields.id("id")
        queue = try fields.text("queue")
        type = try fields.text("type")
        from = ReplyFields.state(fields.optional("from"))
        to = try fields.state("to")
    }

    static func position(of entry: RESPValue) throws(MartletError) -> EventPosition { try parts(of: entry).0 }

    /// Breakers are told, too: their entries name no queue.
    static func isOfTask(_ entry: RESPValue) throws(MartletError) -> Bool {
        try !parts(of: entry).1.text("queue").isEmpty
    }

    private static func parts(of entry: RESPValue) throws(MartletError) -> (EventPosition, ReplyFields) {
        guard let parts = entry.elements, parts.count == 2, let place = parts[0].text else {
            throw .decoding("not an entry of the stream of events")
        }
        return (EventPosition(text: place), ReplyFields(parts[1]))
    }
}

extension ReplyFields {
    /// A number that is told as text.
    fileprivate func decimal(_ name: String) throws(MartletError) -> Int64 {
        guard let number = optional(name)?.word.flatMap(Int64.init) else { throw Self.wrong(name) }
        return number
    }
}
