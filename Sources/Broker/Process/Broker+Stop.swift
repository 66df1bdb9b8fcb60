import Logging
import MartletEngine
import MartletProtocol
import NIOCore

/// The orderly stop: no new work, what is in hand is answered, blocked callers are told.
extension Broker {
    /// How long clients may take for their last replies.
    private static let patience = TimeAmount.seconds(2)

    /// What blocked callers are told.
    static let isStopping = CommandError(.stopping, "the broker is stopping; connect again")

    /// A client asked for it: the stop begins after this round.
    func requestStop() {
        loop.execute { self.stop(self.stopRequested) }
    }

    func stop(_ promise: EventLoopPromise<Void>) {
        guard stopping == nil else { return promise.futureResult === stopping?.futureResult ? () : promise.succeed() }
        if isScheduled { runGroup() }
        stopping = promise
        logger.notice("stopping", metadata: ["clients": "\(connections.count)"])
        listener?.close(promise: nil)
        timer?.cancel()
        for caller in store.withEngine({ $0.waitingCallers + $0.watchingCallers }) {
            store.withEngine { $0.forget(caller: caller) }
            guard let connection = connections[caller] else { continue }
            connection.blocked = nil
            begin(connection)
            connection.output.error(Self.isStopping)
        }
        endStudy()
        for connection in followers.values {
            release(connection) { $0.error(Self.isStopping) }
        }
        for connection in connections.values {
            connection.isClosing = true
            begin(connection)
        }
        finishRound(clock.now)
        guard !connections.isEmpty else { return finishStop() }
        loop.scheduleTask(in: Self.patience) {
            for connection in self.connections.values { connection.context?.close(promise: nil) }
        }
    }

    /// The last connection is gone.
    func finishStop() {
        guard let promise = stopping, !isStopped else { return }
        isStopped = true
        timer?.cancel()
        store.close()
        promise.succeed()
    }
}
