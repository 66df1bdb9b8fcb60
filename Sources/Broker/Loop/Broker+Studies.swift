import Logging
import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore
import NIOPosix

/// Long looks at all data, on another thread: BROKER.CHECK and BROKER.SNAPSHOT. One at a time; commands go on.
extension Broker {
    /// Blocks `connection` until `work` is done, and answers it with what `reply` makes of the outcome.
    func study<R: Sendable>(
        for connection: Connection, _ work: @escaping @Sendable (SideReader) throws(StorageError) -> R,
        _ reply: @escaping @Sendable (R, inout ReplyWriter) -> Void
    ) throws(CommandError) {
        // Its group failed, and its commands are run again.
        guard studying != connection.id else { return block(connection) }
        guard studying == nil else {
            throw CommandError(.error, "a BROKER.CHECK or BROKER.SNAPSHOT is under way; try again when it is done")
        }
        let reader: SideReader
        do throws(StorageError) {
            reader = try store.sideReader()
        } catch {
            gate.failed(error, store, clock.now, logger)
            throw gate.failure(error)
        }
        studying = connection.id
        block(connection)
        let caller = connection.id
        let broker = NIOLoopBound(self, eventLoop: loop.nonisolated())
        NIOThreadPool.singleton.submit { _ in
            let outcome: Result<R, StorageError>
            do throws(StorageError) { outcome = .success(try work(reader)) } catch { outcome = .failure(error) }
            broker.eventLoop.execute {
                broker.value.studyEnded(caller) { output in
                    switch outcome {
                    case .success(let result): reply(result, &output)
                    case .failure(let error): output.error(Self.studyFailure(error))
                    }
                }
            }
        }
    }

    private func studyEnded(_ caller: CallerID, _ reply: (inout ReplyWriter) -> Void) {
        guard studying == caller else { return }
        studying = nil
        guard let connection = connections[caller], !isStopped else { return }
        answerStudy(connection, reply)
        finishRound(readClock())
    }

    private func answerStudy(_ connection: Connection, _ reply: (inout ReplyWriter) -> Void) {
        begin(connection)
        unblock(connection)
        reply(&connection.output)
    }

    /// The broker stops: whoever waits for a study is told.
    func endStudy() {
        guard let caller = studying, let connection = connections[caller] else { return }
        studying = nil
        answerStudy(connection) { $0.error(Self.isStopping) }
    }

    /// The broker's own data are sound: it is the other place that failed.
    private static func studyFailure(_ error: StorageError) -> CommandError {
        let reason = Request.printable(Array("\(error)".utf8), limit: 300)
        return error.kind == .full
            ? CommandError(.diskFull, "\(reason); free disk space there, or name another place")
            : CommandError(.error, reason)
    }
}
