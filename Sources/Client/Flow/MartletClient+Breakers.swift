import MartletProtocol

// Breakers: what failed too often is not tried for a while, by anybody.
extension MartletClient {
    /// Sets a breaker; bind it to a queue with `setQueue(_:_:)` to hold the queue's hand-outs while it is open.
    public func setBreaker(_ name: String, _ rule: BreakerRule) async throws(MartletError) {
        var command = RESPCommand("BREAKER.SET", .text(name))
        rule.append(to: &command)
        _ = try await link.send(command.withNonce())
    }

    /// How a breaker stands; `refused` when there is none of that name, here and below.
    public func breaker(_ name: String) async throws(MartletError) -> BreakerDetails {
        try BreakerDetails(try await link.send(RESPCommand("BREAKER.GET", .text(name))))
    }

    /// All breakers.
    public func breakers() async throws(MartletError) -> [BreakerDetails] {
        var breakers: [BreakerDetails] = []
        for breaker in try await link.send(RESPCommand("BREAKER.LIST")).elements ?? [] {
            breakers.append(try BreakerDetails(breaker))
        }
        return breakers
    }

    /// Opens a breaker now, for its cool-down.
    public func tripBreaker(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("BREAKER.TRIP", .text(name)).withNonce())
    }

    /// Closes a breaker and forgets its failures.
    public func resetBreaker(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("BREAKER.RESET", .text(name)).withNonce())
    }

    /// Removes a breaker; what it held back goes on.
    public func deleteBreaker(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("BREAKER.DEL", .text(name)).withNonce())
    }

    /// Tries something unless the breaker is open, and tells the breaker how it went.
    ///
    ///     let rate = try await client.withBreaker("exchange") { try await fetchRate() }
    ///
    /// While it is half open only its probes are tried. A cancelled probe is told as nothing; the broker lets another
    /// one through after the cool-down.
    /// - Parameters:
    ///   - name: the breaker's.
    ///   - counts: which of the errors that the work throws are failures. A `CancellationError` never is, and what is
    ///     none counts as a success: the other end answered.
    ///   - work: what is tried.
    /// - Throws: `breakerOpen` when nothing was tried; what the work throws; what any command throws.
    public func withBreaker<Value>(
        _ name: String, counts: (any Error) -> Bool = { _ in true }, _ work: () async throws -> Value
    ) async throws -> Value {
        let answer = ReplyFields(try await link.send(RESPCommand("BREAKER.ALLOW", .text(name)).withNonce()))
        guard try answer.flag("allowed") else { throw MartletError.breakerOpen(name) }
        let isProbe = try answer.breakerState() == .halfOpen
        let value: Value
        do {
            value = try await work()
        } catch {
            if !(error is CancellationError) { await report(name, failed: counts(error), isProbe) }
            throw error
        }
        await report(name, failed: false, isProbe)
        return value
    }

    /// A success is news only of a probe. A broker that cannot be told is no reason to drop what came out.
    private func report(_ name: String, failed: Bool, _ isProbe: Bool) async {
        guard failed || isProbe else { return }
        let command = RESPCommand("BREAKER.REPORT", .text(name), failed ? "FAIL" : "OK")
        _ = try? await link.send(command.withNonce())
    }
}
