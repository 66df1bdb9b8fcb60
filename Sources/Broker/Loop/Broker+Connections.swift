import Logging
import MartletEngine
import MartletProtocol
import NIOCore

/// Connections come, send bytes and go.
extension Broker {
    /// `nil`: there are too many already; the client is told and the connection ends.
    func accept(_ context: ChannelHandlerContext) -> Connection? {
        guard connections.count < configuration.maxClients, stopping == nil else {
            statistics.rejectedConnections += 1
            let reason = stopping == nil ? "ERR max number of clients reached" : "STOPPING the broker is stopping"
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
            context.writeAndFlush(NIOAny(ByteBuffer(string: "-\(reason)\r\n")), promise: promise)
            return nil
        }
        lastConnection += 1
        let address = context.remoteAddress.map { "\($0.ipAddress ?? "?"):\($0.port ?? 0)" } ?? "?"
        let connection = Connection(
            id: lastConnection, address: address, now: clock.now, isAuthenticated: password == nil,
            outputLimit: configuration.outputOfOne)
        (connection.context, connection.direct) = (context, DirectWrite(context))
        connections[connection.id] = connection
        statistics.connections += 1
        logger.debug("a client connected", metadata: ["address": "\(address)"])
        watchIdle(connection)
        return connection
    }

    /// Bytes came: they wait for the group at the end of this round.
    func received(_ bytes: ByteBuffer, _ connection: Connection) {
        guard !connection.isClosing else { return }
        statistics.inputBytes += Int64(bytes.readableBytes)
        connection.inbound.append(bytes, receiveBuffers)
        if connection.blocked == nil { makeReady(connection) } else { account(connection) }
    }

    func makeReady(_ connection: Connection) {
        guard !connection.isReady else { return }
        connection.isReady = true
        ready.append(connection)
        scheduleGroup()
    }

    func scheduleGroup() {
        guard !isScheduled else { return }
        isScheduled = true
        // One client alone would wait for nobody.
        guard configuration.commitDelayMicroseconds > 0, connections.count > 1 else {
            return loop.execute { self.runGroup() }
        }
        loop.scheduleTask(in: .microseconds(configuration.commitDelayMicroseconds)) { self.runGroup() }
    }

    func closed(_ connection: Connection) {
        connection.isClosed = true
        (connection.context, connection.direct) = (nil, nil)
        connections[connection.id] = nil
        keptAlive[connection.id] = nil
        stalled[connection.id] = nil
        monitors[connection.id] = nil
        followers[connection.id] = nil
        if connection.subscriptions.count > 0 { hub.leaveAll(connection) }
        totalInbound -= connection.countedInbound
        totalExcess -= connection.excess
        totalOutstanding -= connection.outstanding
        (connection.countedInbound, connection.outstanding) = (0, 0)
        if connection.blocked != nil {
            connection.blocked = nil
            store.withEngine { $0.forget(caller: connection.id) }
        }
        noteMemory()
        if stopping != nil, connections.isEmpty { finishStop() }
    }

    /// Ends a connection that does harm, at once.
    func drop(_ connection: Connection, _ reason: String) {
        logger.warning(
            "dropped a client", metadata: ["address": "\(connection.address)", "reason": "\(reason)"])
        statistics.dropped += 1
        connection.isClosing = true
        connection.context?.close(promise: nil)
    }

    /// Keeps the totals of what waits to be parsed, and stops reading from those who cannot use more.
    func account(_ connection: Connection) {
        guard !connection.isClosed else { return }
        let bytes = connection.inbound.count
        totalInbound += bytes - connection.countedInbound
        connection.countedInbound = bytes
        if totalInbound > configuration.inputBytes,
            let largest = connections.values.max(by: { $0.countedInbound < $1.countedInbound })
        {
            drop(largest, "unfinished requests take more than \(configuration.inputBytes) bytes in all")
        }
        updateReading(connection)
        noteMemory()
    }

    private func updateReading(_ connection: Connection) {
        let waits = connection.blocked != nil || connection.isReady
        if connection.isFull { connection.mayHaveCommands = true }
        let pause = connection.isFull || (waits && connection.inbound.count > InputLimits.idle)
        guard pause != connection.isPaused else { return }
        connection.isPaused = pause
        if !pause, connection.owesRead {
            connection.owesRead = false
            connection.context?.read()
        }
    }
}
