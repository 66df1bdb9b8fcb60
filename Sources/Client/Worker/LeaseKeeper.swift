import Logging
import MartletProtocol

/// Talks to the broker about tasks in hand, over the connection that all slots share.
struct LeaseKeeper: Sendable {
    let link: Link
    let logger: Logger

    /// One TOUCH: `false` when the work is of no more use. A broker that cannot be reached changes nothing.
    func touch(_ command: RESPCommand, of attempt: Attempt) async -> Bool {
        do {
            let reply = try await link.send(command)
            guard reply["cancel"]?.boolean == true else { return true }
            attempt.interrupt(.taskCancelled)
            return false
        } catch  where error.endsLease {
            attempt.interrupt(.leaseLost)
            return false
        } catch {
            logger.warning("progress not told", metadata: ["error": "\(error)"])
            return true
        }
    }

    /// Gives a task back without counting the attempt.
    func release(_ lease: Lease) async {
        await settle(Commands.release(lease, nonce: Nonce.random()), lease)
    }

    /// Sends what ends a lease, again and again while the broker is there but cannot write, or is away.
    func settle(_ command: RESPCommand, _ lease: Lease) async {
        var pause = Duration.milliseconds(50)
        let end = ContinuousClock.now + .milliseconds(lease.duration)
        while true {
            do {
                _ = try await link.send(command)
                return
            } catch  where error.endsLease {
                return logger.warning("lease lost", metadata: ["task": "\(lease.id)", "error": "\(error)"])
            } catch {
                let metadata: Logger.Metadata = ["task": "\(lease.id)", "error": "\(error)"]
                guard error.isPassing, ContinuousClock.now < end else {
                    return logger.error("outcome not delivered", metadata: metadata)
                }
                logger.warning("outcome not delivered yet", metadata: metadata)
            }
            // In a cancelled task this returns at once: then there is one attempt only.
            do { try await Task.sleep(for: pause) } catch { return }
            pause = min(pause * 2, .seconds(1))
        }
    }
}

extension MartletError {
    /// The lease is not ours any more, or its task is gone.
    var endsLease: Bool { code == .leaseLost || code == .noTask }

    /// Worth trying again later.
    var isPassing: Bool {
        switch self {
        case .timedOut, .overloaded: true
        default: code == .diskFull || code == .readOnly || code == .stopping
        }
    }
}
