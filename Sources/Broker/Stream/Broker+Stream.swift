import Logging
import MartletEngine
import MartletProtocol
import MartletStorage

/// The stream of what happened to tasks, read by Redis' commands.
extension Broker {
    func look<A>(
        _ look: StreamLook, _ output: inout ReplyWriter, _ engine: borrowing Engine, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws {
        switch look {
        case .length(let key): output.integer(try Self.isEvents(key) ? engine.keptMoves : 0)
        case .range(let key, let from, let to, let count, let backwards):
            guard try Self.isEvents(key) else { return output.array(0) }
            output.entries(
                backwards
                    ? try engine.eventsBackwards(from: from, to: to, count: count, in: transaction)
                    : try engine.events(from: from, to: to, count: count, in: transaction))
        case .info(let key):
            guard try Self.isEvents(key) else { throw CommandError(.error, "no such key") }
            let first = try engine.events(from: .first, to: .last, count: 1, in: transaction).first
            let last = try engine.eventsBackwards(from: .first, to: .last, count: 1, in: transaction).first
            output.streamInfo(engine.keptMoves, engine.newestMove(now: now), first, last)
        case .read: preconditionFailure("XREAD may block: see follow")
        }
    }

    private static func isEvents(_ key: Bytes) throws(CommandError) -> Bool {
        guard key != StreamRead.events else { return true }
        if let reserved = ReservedKey(key), reserved.type != "none" { throw Look.wrongType }
        return false
    }

    /// XREAD: what there is, or the caller waits for more.
    func follow<A>(
        _ read: StreamRead, _ connection: Connection, _ engine: borrowing Engine, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        var read = read
        let after = read.after ?? engine.newestMove(now: now)
        read.after = after
        let events = try Self.events(read, engine, now, transaction)
        guard events.isEmpty else { return connection.output.read(events) }
        guard let span = read.block else { return connection.output.nullArray() }
        read.until = span == 0 || span > Limits.latestTime - now ? .max : now + span
        connection.blocked = Connection.Blocked(keepalive: nil, nextPush: .max, read: read)
        followers[connection.id] = connection
        nextFollowerEnd = min(nextFollowerEnd, read.until)
    }

    private static func events<A>(
        _ read: StreamRead, _ engine: borrowing Engine, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [Event] {
        guard read.isOfEvents, let after = read.after, after < engine.newestMove(now: now) else { return [] }
        return try engine.events(from: after.next, to: .last, count: read.count, in: transaction)
    }

    /// A round is over: what it did goes to those who wait for it.
    func serveFollowers(_ now: Timestamp) {
        guard hasNewMoves else { return }
        hasNewMoves = false
        guard !followers.isEmpty else { return }
        do throws(StorageError) {
            try store.read { (engine, transaction) throws(StorageError) in
                for connection in followers.values {
                    guard let read = connection.blocked?.read else {
                        followers[connection.id] = nil
                        continue
                    }
                    let events = try Self.events(read, engine, now, transaction)
                    if !events.isEmpty { release(connection) { $0.read(events) } }
                }
            }
        } catch {
            logger.error("the stream of events cannot be read", metadata: ["reason": "\(error)"])
        }
    }

    /// Those whose time is over are told that there is nothing.
    func endFollowers(_ now: Timestamp) {
        guard nextFollowerEnd <= now else { return }
        nextFollowerEnd = .max
        for connection in followers.values {
            guard let read = connection.blocked?.read else {
                followers[connection.id] = nil
                continue
            }
            if read.until <= now {
                release(connection) { $0.nullArray() }
            } else {
                nextFollowerEnd = min(nextFollowerEnd, read.until)
            }
        }
    }

    func release(_ connection: Connection, _ reply: (inout ReplyWriter) -> Void) {
        followers[connection.id] = nil
        guard connection.blocked?.read != nil else { return }
        begin(connection)
        unblock(connection)
        reply(&connection.output)
    }
}

extension ReplyWriter {
    fileprivate mutating func read(_ events: [Event]) {
        if version == .three {
            map(1)
        } else {
            array(1)
            array(2)
        }
        bulk(StreamRead.events)
        entries(events)
    }

    fileprivate mutating func entries(_ events: [Event]) {
        array(events.count)
        for event in events { entry(event) }
    }

    /// An entry: its id, and its fields as text; `from` is empty for a task that was added.
    private mutating func entry(_ event: Event) {
        let fields = EventFields(event)
        array(2)
        bulk(event.place.text)
        array(14)
        bulk("seq")
        bulk("\(event.place.number)")
        bulk("at")
        bulk(integer: event.place.at)
        bulk("id")
        bulk(fields.id)
        bulk("queue")
        bulk(fields.queue)
        bulk("type")
        bulk(fields.type)
        bulk("from")
        bulk(fields.from ?? "")
        bulk("to")
        bulk(fields.to)
    }

    fileprivate mutating func streamInfo(
        _ length: Int64, _ newest: MovePlace, _ first: Event?, _ last: Event?
    ) {
        map(6)
        field("length", length)
        field("last-generated-id", text: newest.text)
        field("entries-added", Int64(clamping: newest.number))
        field("groups", 0 as Int64)
        bulk("first-entry")
        first.map { entry($0) } ?? null()
        bulk("last-entry")
        last.map { entry($0) } ?? null()
    }
}
