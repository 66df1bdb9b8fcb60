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

    /// Sends what ends a lease; logs if that was in vain.
    func settle(_ command: RESPCommand, _ lease: Lease) async {
        if let error = await deliver(command, lease) { note(error, lease) }
    }

    /// Says that the outcome of an attempt is lost.
    func note(_ error: MartletError, _ lease: Lease) {
        let metadata: Logger.Metadata = ["task": "\(lease.id)", "error": "\(error)"]
        if error.endsLease {
            logger.warning("lease lost", metadata: metadata)
        } else {
            logger.error("outcome not delivered", metadata: metadata)
        }
    }

    /// Sends what ends a lease, again and again while the broker is there but cannot write, or is away.
    /// - Returns: why it was not done; `nil`: it was.
    func deliver(_ command: RESPCommand, _ lease: Lease) async -> MartletError? {
        var pause = Duration.milliseconds(50)
        let end = ContinuousClock.now + .milliseconds(lease.duration)
        while true {
            do {
                _ = try await link.send(command)
                return nil
            } catch {
                guard error.isPassing, ContinuousClock.now < end else { return error }
                logger.warning("outcome not delivered yet", metadata: ["task": "\(lease.id)", "error": "\(error)"])
            }
            // In a cancelled task this returns at once: then there is one attempt only.
            do { try await Task.sleep(for: pause) } catch { return .cancelled }
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
