import Logging
import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore

/// One group: what all ready connections sent, in one transaction.
extension Broker {
    func runGroup() {
        guard isScheduled else { return }
        isScheduled = false
        // So many replies wait for the disk that no more are made: it goes on when they are out.
        guard !mustWaitForFlush else { return }
        let queue = ready
        ready.removeAll(keepingCapacity: true)
        let now = readClock()
        group.begin()
        group.mayBeDue = gate.isOpen && store.withEngine { $0.mayBeDue(by: now) }
        for connection in queue {
            connection.isReady = false
            runLocal(connection, now)
        }
        if queue.contains(where: { $0.need == .reading }) { runReads(queue, now) }
        if queue.contains(where: { $0.need == .writing }) { runWrites(queue, now) }
        settle(queue)
        finishRound(now)
    }

    /// Runs what needs no storage, up to the first command that does.
    private func runLocal(_ connection: Connection, _ now: Timestamp) {
        begin(connection)
        while !group.isFull, var call = next(connection, now) {
            guard case .local(let run) = call.command.run else {
                connection.need = needs(call.command)
                return
            }
            runLocal(run, &call, connection)
        }
    }

    /// Runs what only reads, on one snapshot.
    private func runReads(_ queue: [Connection], _ now: Timestamp) {
        do throws(StorageError) {
            try store.read { (engine, transaction) throws(StorageError) in
                group.mark = BrokerClock.bootMicroseconds()
                group.beginPart()
                for connection in queue where connection.need == .reading {
                    while !group.isFull, var call = next(connection, now) {
                        if needs(call.command) == .writing {
                            connection.need = .writing
                            break
                        }
                        read(&call, connection, engine, now, transaction)
                    }
                }
            }
        } catch {
            // There is no snapshot: each command that needs one is told why.
            for connection in queue where connection.need == .reading {
                guard next(connection, now) != nil else { continue }
                connection.output.error(gate.failure(error))
                done(connection)
                connection.need = .nothing
            }
        }
    }

    private func runWrites(_ queue: [Connection], _ now: Timestamp) {
        group.byteLimit = gate.look(store, now, logger)
        group.beginPart()
        let shown = monitored.writerIndex
        let published = hub.messages.count
        do throws(StorageError) {
            engineInstant = try store.write(
                now: now, flushed: { !flushesBeside },
                { (engine, transaction) throws(StorageError) in
                    group.mark = BrokerClock.bootMicroseconds()
                    for connection in queue where connection.need == .writing {
                        try run(connection, &engine, now, transaction)
                        if group.isFull { break }
                    }
                    if !group.mayBeDue { try runOperation(&engine, now, transaction) }
                    try serve(&engine, now, transaction)
                    return try engine.nextInstant(in: transaction)
                })
            statistics.commits += 1
            yieldAfterOperation(now, ownGroup: false)
            tellMoves()
            reportDamage()
        } catch {
            logger.debug("a group failed and is run again one by one", metadata: ["reason": "\(error)"])
            monitored.moveWriterIndex(to: shown)
            hub.messages.removeLast(hub.messages.count - published)
            if operations.running != nil { postponeOperation(now) }
            _ = putAside(error, now)
            runOneByOne(queue, now)
        }
    }

    /// A damaged record was met: its task was put aside, which somebody should know.
    func reportDamage() {
        let damaged = store.withEngine { $0.damaged }
        guard damaged.count > reportedDamage else { return }
        reportedDamage = damaged.count
        logger.error(
            "a task's record is damaged on disk and was put aside", metadata: ["task": "\(damaged.newest ?? "")"])
    }

    /// Runs a connection's commands inside the group until it blocks, has none or the group is full.
    private func run(
        _ connection: Connection, _ engine: inout Engine, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        note(connection)
        while !group.isFull, var call = next(connection, now) {
            switch call.command.run {
            case .local(let run): runLocal(run, &call, connection)
            case .read where needs(call.command) != .writing, .inspect:
                read(&call, connection, engine, now, transaction)
            case .read, .write: try write(&call, connection, &engine, now, transaction)
            }
        }
    }

    /// Hands tasks to blocked callers; they are answered with the rest of the group.
    func serve(
        _ engine: inout Engine, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard gate.readOnly == nil else { return }
        try engine.serveWaiting(now: now, in: transaction) { caller, answer in deliver(answer, to: caller) }
    }

    /// A blocked call has its answer.
    func deliver(_ answer: Answer, to caller: CallerID) {
        guard let connection = connections[caller] else {
            if case .handedOut(let tasks) = answer { lost += tasks.map { ($0.id, $0.token) } }
            return
        }
        note(connection)
        unblock(connection)
        put(answer, connection)
        countReplies(connection)
    }

    /// Remembers where `connection` stood before this group changed it.
    func note(_ connection: Connection) {
        guard connection.notedIn != group.number else { return }
        connection.notedIn = group.number
        group.notes.append(ConnectionNote(connection))
        begin(connection)
    }

    /// Gives `connection` room for replies; it will be flushed at the end of the round.
    func begin(_ connection: Connection) {
        connection.need = .nothing
        guard connection.output.bytes.capacity == 0 else { return }
        if let spare = spareReplies.popLast() {
            connection.output.bytes = spare
        } else {
            connection.output.bytes.reserveCapacity(4_096)
        }
        touched.append(connection)
    }

    /// Those with commands left come first in the next group, those that were not reached before the others.
    private func settle(_ queue: [Connection]) {
        guard group.leftSome else { return }
        var rest: [Connection] = []
        for connection in queue where connection.inbound.count > 0 {
            // It goes on when its replies were read.
            if connection.isFull { connection.mayHaveCommands = true }
            guard connection.canRun, !connection.isReady else { continue }
            connection.isReady = true
            connection.servedIn == group.number ? rest.append(connection) : ready.append(connection)
        }
        ready += rest
    }
}
