import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore
import NIOPosix

/// The disk at work on large groups while the loop runs the next one.
///
///     loop   │ group 1 │ group 2     │ replies 1 │ group 3     │ replies 2 │ …
///     disk             │ flush 1 ────┤ flush 2 ──────────────┤ flush 3 ─ …
///
/// Whatever is answered meanwhile, reads too, waits: it may tell of groups that are not durable.
struct Flusher {
    fileprivate(set) var isRunning = false
    /// Replies of the groups that are being flushed.
    fileprivate var held: [Replies] = []
    /// Bytes of replies that were made and not yet sent, and those of them that the flush which is running holds.
    var unsent = 0
    fileprivate var heldBytes = 0
}

/// What one connection is told, and the hand-outs it is told of.
struct Replies {
    let connection: Connection
    fileprivate(set) var bytes: Bytes
    let handOuts: [(id: TaskID, token: Int64)]

    /// Takes them from `connection`.
    init(of connection: Connection) {
        self.connection = connection
        bytes = connection.output.bytes
        handOuts = connection.handOuts
        connection.output.bytes = []
        connection.countedOutput = 0
        connection.handOuts.removeAll(keepingCapacity: connection.handOuts.capacity <= 64)
    }

    /// They were sent: their memory may be used again.
    mutating func takeBytes() -> Bytes {
        var taken = Bytes()
        swap(&taken, &bytes)
        return taken
    }
}

extension Broker {
    /// Whether the group that has just run is flushed beside the next one.
    var flushesBeside: Bool { flusher.isRunning || group.commands >= GroupLimits.flushedBeside }

    /// Whether replies that wait for the disk take so much that no further commands are run.
    var mustWaitForFlush: Bool { flusher.isRunning && isFullOfReplies }

    var isFullOfReplies: Bool { flusher.unsent >= 2 * group.replyLimit }

    /// Sends what the rounds so far have to say, once it is durable.
    func sendReplies() {
        guard !beginFlush() else { return }
        flusher.unsent = 0
        let list = touched
        touched.removeAll(keepingCapacity: true)
        for connection in list {
            var replies = Replies(of: connection)
            send(&replies)
        }
    }

    /// Begins to flush the groups that wait for it; what the rounds so far have to say is held until then.
    /// - Returns: whether there are any.
    private func beginFlush() -> Bool {
        guard let flush = store.beginFlush() else { return false }
        flusher.isRunning = true
        flusher.heldBytes = flusher.unsent
        for connection in touched {
            let replies = Replies(of: connection)
            connection.held += replies.bytes.count
            flusher.held.append(replies)
        }
        touched.removeAll(keepingCapacity: true)
        let broker = NIOLoopBound(self, eventLoop: loop.nonisolated())
        NIOThreadPool.singleton.submit { _ in
            let code = flush.run()
            broker.eventLoop.execute { broker.value.flushEnded(flush, code) }
        }
        return true
    }

    private func flushEnded(_ flush: JournalFlush, _ code: Int32) {
        guard !isStopped else { return }
        var held: [Replies] = []
        swap(&held, &flusher.held)
        flusher.isRunning = false
        do throws(StorageError) {
            try store.endFlush(flush, code)
        } catch {
            return giveUp(error)
        }
        flusher.unsent -= flusher.heldBytes
        for replies in held { replies.connection.held -= replies.bytes.count }
        // The disk goes on first: what ran meanwhile waits for it.
        let goesOn = beginFlush()
        for index in held.indices { send(&held[index]) }
        if !goesOn { sendReplies() }
        if !ready.isEmpty { scheduleGroup() }
        rearmTimer()
        if !lost.isEmpty { scheduleUpkeep() }
    }

    /// The disk failed, and nobody knows what it holds: nothing that waited for it is answered. Whoever waits for an
    /// answer is disconnected, as by a crash; the others may go on reading.
    private func giveUp(_ error: StorageError) {
        gate.failed(error, store, clock.now, logger)
        (engineInstant, lost) = (nil, [])
        flusher.unsent = 0
        if !ready.isEmpty { scheduleGroup() }
        touched.removeAll(keepingCapacity: true)
        for connection in connections.values where connection.blocked != nil || connection.awaitsReplies {
            drop(connection, "storage failed before its replies were durable")
        }
    }
}
