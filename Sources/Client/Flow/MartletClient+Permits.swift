extension MartletClient {
    /// How long the broker keeps a permit beyond `hold`: the time of work that was cancelled to end.
    static let permitGrace = Duration.seconds(2)

    /// Does work while holding a slot of a limit, which is given back whatever way the work ends.
    ///
    ///     let page = try await client.withPermit("crawler") { try await fetch(url) }
    ///
    /// - Parameters:
    ///   - limit: its name.
    ///   - cost: how many slots.
    ///   - hold: how long the work may take. It is cancelled then, two seconds before the broker gives the slot to
    ///     others, and a process that dies does not hold a slot longer.
    ///   - wait: how long to wait for the slot; `nil`: for ever.
    ///   - work: what is done meanwhile.
    /// - Throws: what the work throws; `limited` when there was no slot in time; `permitExpired` when the work took
    ///   longer than `hold` and threw; what `take` throws.
    public func withPermit<Value: Sendable>(
        _ limit: String, cost: Int = 1, hold: Duration = .seconds(60), wait: Duration? = nil,
        _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let answer = try await take(limit, cost: cost, hold: hold + Self.permitGrace, wait: wait)
        guard answer.isGranted, let permit = answer.permit else {
            throw MartletError.limited(limit, retryAfter: answer.retryAfter ?? .zero)
        }
        let outcome = await Self.run(work, for: hold)
        await give(limit, permit)
        if outcome.isLate, case .failure = outcome.result { throw MartletError.permitExpired(limit) }
        return try outcome.result.get()
    }

    private enum Part<Value: Sendable>: Sendable {
        case done(Result<Value, any Error>)
        /// The time is over, or the wait for that was cancelled.
        case clock(isOver: Bool)
    }

    /// Runs `work`, which is cancelled when it takes longer than `span`, to its end.
    private static func run<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value, for span: Duration
    ) async -> (result: Result<Value, any Error>, isLate: Bool) {
        await withTaskGroup(of: Part<Value>.self) { group in
            group.addTask {
                do { return .done(.success(try await work())) } catch { return .done(.failure(error)) }
            }
            group.addTask {
                do { try await Task.sleep(for: span) } catch { return .clock(isOver: false) }
                return .clock(isOver: true)
            }
            var isLate = false
            for await part in group {
                switch part {
                case .clock(let isOver): isLate = isOver
                case .done(let result):
                    group.cancelAll()
                    return (result, isLate)
                }
                group.cancelAll()
            }
            preconditionFailure("the work is a part of the group and ends")
        }
    }
}
