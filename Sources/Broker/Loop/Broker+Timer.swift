import Logging
import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore

/// The one timer: set to the next instant at which anything is to be done; without one nothing wakes.
extension Broker {
    /// The longest the timer is set ahead.
    private static let longest: Milliseconds = 86_400_000
    /// Pushes that are due so soon after one go out with it.
    private static let pushSlack: Milliseconds = 20

    /// Sets the timer when something is to be done earlier than it is set to. What moved later is found out when it
    /// fires: cheaper than moving it with every command.
    func rearmTimer() {
        let next = min(
            engineInstant ?? .max, operationInstant, nextPush, nextStallCheck, nextIdleCheck, memoryUse.trimAt,
            settling.next, nextFollowerEnd)
        guard next < timerAt else { return }
        timer?.cancel()
        timerAt = next
        let ahead = next > clock.now ? min(next - clock.now, Self.longest) * 1_000 : 0
        let fraction = clock.microseconds % 1_000
        timer = loop.scheduleTask(in: .microseconds(max(20, ahead - fraction))) { self.timerFired() }
    }

    private func timerFired() {
        (timer, timerAt) = (nil, .max)
        runUpkeep()
    }

    /// Hand-outs got lost: they are undone at the end of this round.
    func scheduleUpkeep() {
        guard timerAt > 0, gate.readOnly == nil else { return }
        timer?.cancel()
        timerAt = 0
        timer = loop.scheduleTask(in: .microseconds(20)) { self.timerFired() }
    }

    /// Does what is due: blocked calls end, bookkeeping in slices, lost hand-outs come back, pushes go out.
    func runUpkeep() {
        let now = readClock()
        group.begin()
        if stopping == nil {
            store.withEngine { engine in engine.expireWaiting(now: now) { deliver($1, to: $0) } }
            engineUpkeep(now)
        }
        endFollowers(now)
        if nextPush <= now { sendPushes(now) }
        if nextStallCheck <= now { checkStalls(now) }
        if nextIdleCheck <= now { closeIdle(now) }
        if memoryUse.trimAt <= now { memoryUse.trim() }
        settle(now)
        finishRound(now)
    }

    private func engineUpkeep(_ now: Timestamp) {
        let isDue = store.withEngine { $0.mayBeDue(by: now) }
        do throws(StorageError) {
            guard gate.readOnly == nil, isDue || !lost.isEmpty || operationInstant <= now else {
                engineInstant = try store.read { (engine, transaction) throws(StorageError) in
                    gate.readOnly == nil ? try engine.nextInstant(in: transaction) : nil
                }
                return
            }
            let undone = lost
            group.begin()
            engineInstant = try store.write(
                now: now, flushed: { !flushesBeside },
                { (engine, transaction) throws(StorageError) in
                    for handOut in undone {
                        try engine.undo(handOut: handOut.id, token: handOut.token, now: now, in: transaction)
                    }
                    let done = try engine.advance(to: now, limit: GroupLimits.upkeep, in: transaction)
                    if done < GroupLimits.upkeep { try runOperation(&engine, now, transaction) }
                    try serve(&engine, now, transaction)
                    return try engine.nextInstant(in: transaction)
                })
            lost.removeFirst(undone.count)
            tellMoves()
            yieldAfterOperation(now, ownGroup: true)
        } catch {
            // Nothing happened; it is tried again in a while. Leases of lost hand-outs run out by themselves.
            for note in group.notes.reversed() { note.restore() }
            if putAside(error, now) {
                engineInstant = now
                return
            }
            logger.error("upkeep failed", metadata: ["reason": "\(error)"])
            gate.failed(error, store, now, logger)
            lost.removeAll()
            engineInstant = gate.readOnly == nil ? now + 500 : nil
            postponeOperation(now)
        }
    }

    /// `>2 keepalive n` to those whose blocked call lasts, so that their socket time-outs do not strike.
    private func sendPushes(_ now: Timestamp) {
        nextPush = .max
        for connection in keptAlive.values {
            guard var blocked = connection.blocked, let interval = blocked.keepalive else {
                keptAlive[connection.id] = nil
                continue
            }
            if blocked.nextPush <= now + Self.pushSlack, !connection.isFull {
                blocked.pushes += 1
                blocked.nextPush = min(now + interval, .max - 1)
                connection.blocked = blocked
                begin(connection)
                connection.output.push(2)
                connection.output.bulk("keepalive")
                connection.output.integer(blocked.pushes)
            }
            nextPush = min(nextPush, max(blocked.nextPush, now + Connection.shortestKeepalive))
        }
    }
}

/// Clients that send nothing.
extension Broker {
    /// A look at all clients costs more than a moment's patience with an idle one.
    private static let idleSlack: Milliseconds = 100

    /// Begins to look whether `connection` is idle too long.
    func watchIdle(_ connection: Connection) {
        guard configuration.idleMilliseconds > 0 else { return }
        let until = connection.lastActive + configuration.idleMilliseconds
        guard until < nextIdleCheck else { return }
        nextIdleCheck = until
        rearmTimer()
    }

    /// Disconnects who was idle too long; who waits in a blocked call or still has replies to read is not idle.
    private func closeIdle(_ now: Timestamp) {
        nextIdleCheck = .max
        for connection in connections.values where !connection.isClosing {
            let isWaiting = connection.blocked != nil || connection.subscriptions.count > 0
            let isBusy = isWaiting || connection.awaitsReplies
            let until = (isBusy ? now : connection.lastActive) + configuration.idleMilliseconds
            if until > now {
                nextIdleCheck = min(nextIdleCheck, max(until, now + Self.idleSlack))
            } else {
                logger.info("closed an idle client", metadata: ["address": "\(connection.address)"])
                statistics.idled += 1
                connection.isClosing = true
                connection.context?.close(promise: nil)
            }
        }
    }
}

/// Clients that do not read.
extension Broker {
    /// Begins to look whether `connection`, which is past its limit, reads at all.
    func watch(_ connection: Connection) {
        guard stalled[connection.id] == nil else { return }
        stalled[connection.id] = connection
        connection.takenAtLastLook = taken(connection)
        nextStallCheck = min(nextStallCheck, clock.now + configuration.stallMilliseconds)
        rearmTimer()
    }

    private func checkStalls(_ now: Timestamp) {
        nextStallCheck = .max
        for connection in stalled.values {
            let taken = taken(connection)
            if taken == connection.takenAtLastLook {
                drop(connection, "it has read nothing for \(configuration.stallMilliseconds) ms")
                stalled[connection.id] = nil
            } else {
                connection.takenAtLastLook = taken
                nextStallCheck = now + configuration.stallMilliseconds
            }
        }
    }

    /// Bytes the socket has taken, ever.
    private func taken(_ connection: Connection) -> Int {
        let buffered = try? connection.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return connection.handedOver - (buffered ?? connection.outstanding)
    }
}
