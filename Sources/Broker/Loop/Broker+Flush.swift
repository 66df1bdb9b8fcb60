import MartletEngine
import MartletProtocol
import NIOCore

/// The replies of a round go out, one write per connection.
extension Broker {
    /// Ends a round: what it did is durable, or is flushed now.
    func finishRound(_ now: Timestamp) {
        showMonitored()
        deliverMessages()
        serveFollowers(now)
        if !flusher.isRunning { sendReplies() }
        operations.round(from: clock.bootMicroseconds, to: BrokerClock.bootMicroseconds())
        settling.plan(store, now)
        rearmTimer()
        if !lost.isEmpty { scheduleUpkeep() }
        guard !ready.isEmpty, !isScheduled else { return }
        isScheduled = true
        // A moment later, so that the event loop looks at its sockets in between.
        loop.scheduleTask(in: .microseconds(20)) { self.runGroup() }
    }

    /// One connection's replies go out: what they tell is durable.
    func send(_ replies: inout Replies) {
        let connection = replies.connection
        if connection.isClosed {
            lost += replies.handOuts
        } else {
            if replies.bytes.count > 0 { write(replies, connection) }
            closeIfDone(connection)
        }
        recycle(replies.takeBytes())
        connection.inbound.compact()
        resume(connection)
        account(connection)
    }

    private func write(_ replies: Replies, _ connection: Connection) {
        guard let context = connection.context else { return }
        statistics.outputBytes += Int64(replies.bytes.count)
        connection.handedOver += replies.bytes.count
        let taken = connection.outstanding == 0 ? connection.direct?.send(replies.bytes, context) ?? 0 : 0
        if taken < replies.bytes.count { queue(replies, from: taken, connection, context) }
    }

    /// A connection that is to be closed is closed when everything was written.
    private func closeIfDone(_ connection: Connection) {
        guard connection.isClosing, !connection.awaitsReplies, connection.outstanding == 0 else { return }
        connection.context?.close(promise: nil)
    }

    /// The socket is full: the channel writes the rest when it can.
    private func queue(
        _ replies: Replies, from taken: Int, _ connection: Connection, _ context: ChannelHandlerContext
    ) {
        let (bytes, handOuts) = (replies.bytes.count - taken, replies.handOuts)
        setOutstanding(connection, connection.outstanding + bytes, largest: max(connection.largestFlush, bytes))
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolatedUnsafeUnchecked().whenComplete { result in
            if case .failure = result { self.lost += handOuts }
            self.sent(bytes, connection)
        }
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: replies.bytes[taken...])), promise: promise)
        if connection.isFull, !connection.isClosed { watch(connection) }
        if totalExcess > configuration.outputBytes, let worst = connections.values.max(by: { $0.excess < $1.excess }) {
            drop(worst, "replies it does not read take \(worst.outstanding) bytes")
        }
        // The largest has at least what was just added: one is enough.
        if totalOutstanding > configuration.outputInAll,
            let largest = connections.values.max(by: { $0.outstanding < $1.outstanding })
        {
            let all = "of \(totalOutstanding) that wait for all clients"
            drop(largest, "replies it does not read take \(largest.outstanding) bytes, the most \(all)")
        }
    }

    /// The socket took `bytes`, or the connection ended before it did.
    private func sent(_ bytes: Int, _ connection: Connection) {
        if !lost.isEmpty { scheduleUpkeep() }
        guard !connection.isClosed else { return }
        let left = connection.outstanding - bytes
        setOutstanding(connection, left, largest: left == 0 ? 0 : connection.largestFlush)
        if left == 0 { stalled[connection.id] = nil }
        closeIfDone(connection)
        guard connection.isPaused, !connection.isClosed else { return }
        resume(connection)
        account(connection)
    }

    /// Commands that waited for this connection to be free are run now.
    private func resume(_ connection: Connection) {
        guard connection.mayHaveCommands, connection.canRun else { return }
        connection.mayHaveCommands = false
        if connection.inbound.count > 0 { makeReady(connection) }
    }

    private func setOutstanding(_ connection: Connection, _ bytes: Int, largest: Int) {
        totalExcess -= connection.excess
        totalOutstanding += bytes - connection.outstanding
        (connection.outstanding, connection.largestFlush) = (bytes, largest)
        totalExcess += connection.excess
    }

    /// Keeps the memory for the next round, emptied.
    private func recycle(_ bytes: consuming Bytes) {
        guard bytes.capacity <= Spares.bytes, spareReplies.count < Spares.count else { return }
        bytes.removeAll(keepingCapacity: true)
        spareReplies.append(bytes)
    }
}

/// What is kept of the memory for replies.
private enum Spares {
    static let count = 64
    /// A bigger one is freed.
    static let bytes = 64 * 1024
}
