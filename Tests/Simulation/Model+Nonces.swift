internal import MartletEngine
internal import MartletProtocol

/// What a nonce was answered.
struct Remembered {
    var at: Timestamp
    var fingerprint: UInt64
    var outcome: Outcome
    /// What a RESERVE or an ACK … NEXT handed out.
    var leases: [Lease]
}

/// REQ: a blind retry is safe.
extension Model {
    /// Runs a command unless its nonce was answered already; remembers the answer unless it is a refusal.
    mutating func remembering(
        _ request: RequestNonce?, _ now: Timestamp, _ run: (inout Model) -> Outcome
    ) -> Outcome {
        if let refusal = conflict(request, now) { return refusal }
        if let request, isKnown(request, now), let known = nonces[request.nonce] { return known.outcome }
        let outcome = run(&self)
        if case .refused = outcome { return outcome }
        if case .blocked = outcome { return outcome }
        if case .allowed(_, false) = outcome { return outcome }
        remember(request, outcome, now)
        return outcome
    }

    /// The refusal of a nonce that was used with other arguments.
    func conflict(_ request: RequestNonce?, _ now: Timestamp) -> Outcome? {
        guard let request else { return nil }
        let isOther = fresh(request.nonce, now).map { $0.fingerprint != request.fingerprint } ?? false
        return isOther ? .refused(.error) : nil
    }

    /// The same for a command that may take over a blocked call: whether it may comes first.
    func takeOverConflict(_ request: RequestNonce?, _ now: Timestamp) -> Outcome? {
        guard let call = calls.first(where: { $0.nonce?.nonce == request?.nonce && request != nil }) else {
            return conflict(request, now)
        }
        return call.nonce == request ? nil : .refused(.error)
    }

    func isKnown(_ request: RequestNonce?, _ now: Timestamp) -> Bool {
        request.map { fresh($0.nonce, now) != nil } ?? false
    }

    mutating func remember(_ request: RequestNonce?, _ outcome: Outcome, _ now: Timestamp, _ leases: [Lease] = []) {
        guard let request else { return }
        nonces[request.nonce] = Remembered(
            at: now, fingerprint: request.fingerprint, outcome: outcome, leases: leases)
    }

    /// Those of a nonce's leases that are still held.
    func heldLeases(_ request: RequestNonce?, _ now: Timestamp) -> [Lease] {
        guard let request, let known = fresh(request.nonce, now) else { return [] }
        return known.leases.filter { tasks[$0.id]?.hold?.token == $0.token }
    }

    /// A nonce is remembered for 10 minutes.
    private func fresh(_ nonce: Bytes, _ now: Timestamp) -> Remembered? {
        nonces[nonce].flatMap { now - $0.at < Limits.nonceAge ? $0 : nil }
    }
}
