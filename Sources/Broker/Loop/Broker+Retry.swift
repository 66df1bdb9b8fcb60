import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore

/// After a storage failure inside a group: nothing of it happened, so its commands run again one by one, each answered
/// for itself.
extension Broker {
    func runOneByOne(_ queue: [Connection], _ now: Timestamp) {
        for note in group.notes.reversed() { note.restore() }
        var tried = 0
        for connection in queue {
            while hasRoom(after: tried), !connection.isClosed, let call = next(connection, now) {
                tried += 1
                runAlone(call, connection, now)
            }
            // The rest follows in the next group.
            if connection.canRun, !hasRoom(after: tried) { makeReady(connection) }
        }
    }

    private func hasRoom(after tried: Int) -> Bool { tried < GroupLimits.commands && !isFullOfReplies }

    private func runAlone(_ call: Call, _ connection: Connection, _ now: Timestamp) {
        var call = call
        group.mark = BrokerClock.bootMicroseconds()
        switch call.command.run {
        case .local(let run):
            begin(connection)
            runLocal(run, &call, connection)
        case .read, .inspect:
            begin(connection)
            readAlone(&call, connection, now)
        case .write:
            writeAlone(&call, connection, now)
        }
    }

    private func readAlone(_ call: inout Call, _ connection: Connection, _ now: Timestamp) {
        do throws(StorageError) {
            try store.read { (engine, transaction) throws(StorageError) in
                read(&call, connection, engine, now, transaction)
            }
        } catch {
            refuse(gate.failure(error), connection)
            done(connection)
        }
    }

    private func writeAlone(_ call: inout Call, _ connection: Connection, _ now: Timestamp) {
        guard var error = tryAlone(&call, connection, now) else { return }
        // It was undone, its reading too: it is the next command again.
        guard var call = next(connection, now) else { return }
        while putAside(error, now) {
            guard let another = tryAlone(&call, connection, now), let again = next(connection, now) else { return }
            (error, call) = (another, again)
        }
        // What finishes work in hand may use the room that is kept for it.
        if error.kind == .full, finishesWork(call, connection), store.giveUpReserve() {
            guard tryAlone(&call, connection, now) != nil, next(connection, now) != nil else { return }
        }
        gate.failed(error, store, now, logger)
        refuse(gate.failure(error), connection)
        done(connection)
    }

    /// A damaged record that was met is named in the log and put aside, whatever it tells of.
    /// - Returns: whether it was: what met it can be tried again.
    func putAside(_ error: StorageError, _ now: Timestamp) -> Bool {
        guard error.kind == .damaged, gate.readOnly == nil else { return false }
        do throws(StorageError) {
            let isAside = try store.write(now: now) { (engine, transaction) throws(StorageError) in
                try engine.putAside(error, at: now, in: transaction)
            }
            if isAside { gate.failed(error, store, now, logger) }
            reportDamage()
            return isAside
        } catch {
            gate.failed(error, store, now, logger)
            return false
        }
    }

    /// One command in a group of its own; the failure if it failed, everything as before it.
    private func tryAlone(_ call: inout Call, _ connection: Connection, _ now: Timestamp) -> StorageError? {
        group.begin()
        note(connection)
        let shown = monitored.writerIndex
        let published = hub.messages.count
        do throws(StorageError) {
            engineInstant = try store.write(
                now: now,
                { (engine, transaction) throws(StorageError) in
                    try write(&call, connection, &engine, now, transaction)
                    try serve(&engine, now, transaction)
                    return try engine.nextInstant(in: transaction)
                })
            tellMoves()
            return nil
        } catch {
            for note in group.notes.reversed() { note.restore() }
            monitored.moveWriterIndex(to: shown)
            hub.messages.removeLast(hub.messages.count - published)
            return error
        }
    }
}
