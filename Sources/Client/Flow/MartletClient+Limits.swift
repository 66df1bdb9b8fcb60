import MartletProtocol

// Limits that all who ask the broker share.
extension MartletClient {
    /// Sets a limit. It works at once, for those who wait as well; what was taken stays taken.
    public func setLimit(_ name: String, _ rule: LimitRule) async throws(MartletError) {
        var command = RESPCommand("LIMIT.SET", .text(name))
        rule.append(to: &command)
        _ = try await link.send(command.withNonce())
    }

    /// How a limit stands; `refused` when there is none of that name, here and below.
    public func limit(_ name: String) async throws(MartletError) -> LimitDetails {
        try LimitDetails(try await link.send(RESPCommand("LIMIT.GET", .text(name))))
    }

    /// All limits.
    public func limits() async throws(MartletError) -> [LimitDetails] {
        var limits: [LimitDetails] = []
        for limit in try await link.send(RESPCommand("LIMIT.LIST")).elements ?? [] {
            limits.append(try LimitDetails(limit))
        }
        return limits
    }

    /// Makes a limit as if nothing had been taken.
    public func resetLimit(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("LIMIT.RESET", .text(name)).withNonce())
    }

    /// Removes a limit; those who wait for it are refused.
    public func deleteLimit(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("LIMIT.DEL", .text(name)).withNonce())
    }

    /// Takes tokens of a limit with a rate, first come first served.
    ///
    /// - Parameters:
    ///   - limit: its name.
    ///   - cost: how many; more than the limit's burst are refused.
    ///   - wait: how long to wait for them, at the broker; `nil`: for ever. At most 256 calls of one client wait at a
    ///     time.
    /// - Throws: `refused`, `overloaded`, and `cancelled` with the Swift task, which takes nothing but what the broker
    ///   granted in that very moment.
    public func take(
        _ limit: String, cost: Int = 1, wait: Duration? = .zero
    ) async throws(MartletError) -> LimitAnswer {
        try await take(limit, cost: cost, hold: nil, wait: wait)
    }

    func take(
        _ limit: String, cost: Int, hold: Duration?, wait: Duration?
    ) async throws(MartletError) -> LimitAnswer {
        var command = RESPCommand("LIMIT.TAKE", .text(limit), "COST", .integer(Int64(cost)))
        if let hold { command.append("HOLD", .integer(hold.wholeMilliseconds)) }
        if wait == .zero { return try LimitAnswer(try await link.send(command.withNonce())) }
        // BLOCK 0 is for ever.
        let block = wait.map { max($0.wholeMilliseconds, 1) }
        command.append("BLOCK", .integer(block ?? 0))
        let answer = try LimitAnswer(
            try await lines.send(command.withNonce(), blocking: block.map { .milliseconds($0) }))
        guard Task.isCancelled else { return answer }
        if let permit = answer.permit { await give(limit, permit) }
        throw .cancelled
    }

    /// A broker that cannot be told frees the slots itself when their time is over.
    func give(_ limit: String, _ permit: Int64) async {
        _ = try? await link.send(RESPCommand("LIMIT.GIVE", .text(limit), .integer(permit)).withNonce())
    }
}
