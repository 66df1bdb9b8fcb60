import MartletProtocol

/// What happens to tasks, as it happens, from the broker's durable stream.
///
///     for try await event in client.events(after: last) { print(event.id, event.to) }
///
/// It ends when the Swift task is cancelled, with `cancelled`. A broker that is away is waited for, and nothing is left
/// out then, unless it was away, or this was not read, for longer than its stream reaches back.
public struct TaskEvents: AsyncSequence, Sendable {
    /// Events of one read.
    static let page = 500

    let lines: BlockingLines
    /// How long one read waits. The broker sends no signs of life meanwhile.
    let patience: Duration
    /// `nil`: what comes after the first read.
    let after: EventPosition?

    /// Reads from the beginning; each iterator by itself.
    public func makeAsyncIterator() -> Iterator { Iterator(events: self) }

    /// One reader of the events.
    public struct Iterator: AsyncIteratorProtocol {
        private let events: TaskEvents
        private var position: EventPosition?
        private var page: ArraySlice<TaskEvent> = []

        init(events: TaskEvents) { (self.events, position) = (events, events.after) }

        /// The next event; waits until there is one.
        public mutating func next() async throws(MartletError) -> TaskEvent? {
            while true {
                guard !Task.isCancelled else { throw .cancelled }
                if let event = page.popFirst() { return event }
                if let place = position {
                    let read = try await events.read(after: place)
                    (page, position) = (read.events[...], read.position)
                } else {
                    position = try await events.newest()
                }
            }
        }

        /// The next event; waits until there is one.
        public mutating func next(isolation: isolated (any Actor)?) async throws(MartletError) -> TaskEvent? {
            try await next()
        }
    }
}

extension TaskEvents {
    /// The events after a position, and where to go on from.
    fileprivate func read(
        after position: EventPosition
    ) async throws(MartletError) -> (events: [TaskEvent], position: EventPosition) {
        let reply: RESPValue
        // BLOCK 0 would be for ever.
        let block = Swift.max(patience.wholeMilliseconds, 1)
        do throws(MartletError) {
            let command = RESPCommand(
                "XREAD", "COUNT", .integer(Int64(Self.page)), "BLOCK", .integer(block),
                "STREAMS", "@events", .text(position.text))
            reply = try await lines.send(command, blocking: patience)
        } catch .timedOut {
            // The broker is away.
            return ([], position)
        }
        if reply.isNull { return ([], position) }
        guard let entries = reply.pairs?.first?.1.elements else { throw .decoding("not a stream of events") }
        var (events, last): ([TaskEvent], EventPosition) = ([], position)
        for entry in entries {
            last = try TaskEvent.position(of: entry)
            if try TaskEvent.isOfTask(entry) { events.append(try TaskEvent(entry)) }
        }
        return (events, last)
    }

    fileprivate func newest() async throws(MartletError) -> EventPosition {
        try Self.position(try await lines.send(Self.newestCommand, blocking: .zero))
    }

    static let newestCommand = RESPCommand("XREVRANGE", "@events", "+", "-", "COUNT", 1)

    static func position(_ reply: RESPValue) throws(MartletError) -> EventPosition {
        guard let entries = reply.elements else { throw .decoding("not a range of events") }
        guard let newest = entries.first else { return .start }
        guard let place = newest.elements?.first?.text else { throw .decoding("not an event") }
        return EventPosition(text: place)
    }
}

extension MartletClient {
    /// What happens to tasks of all queues.
    ///
    /// - Parameter position: events after this one; `nil`: what happens from the first read on.
    public func events(after position: EventPosition? = nil) -> TaskEvents {
        TaskEvents(lines: lines, patience: min(.seconds(5), link.configuration.silence / 2), after: position)
    }

    /// The place of the newest event: all that happens later comes after it.
    public func newestEvent() async throws(MartletError) -> EventPosition {
        try TaskEvents.position(try await link.send(TaskEvents.newestCommand))
    }
}
