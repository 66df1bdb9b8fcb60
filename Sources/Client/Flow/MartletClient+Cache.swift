import MartletProtocol

/// Get or compute: what is costly to find out and does not change for a while is found out once, for all processes.
enum Cache {
    /// How long one who waits for somebody else's computation pauses between two looks; doubled up to the longest.
    static let firstPause = Duration.milliseconds(10)
    static let longestPause = Duration.milliseconds(200)
    /// Behind a key: who computes it. The key's own name stays free for the value.
    static let suffix = ":computing"
}

extension MartletClient {
    /// The value of `key`; where there is none, what `compute` gives, kept at the broker for `span`.
    ///
    ///     let quota = try await client.cached("quota:eu", for: .seconds(60)) { try await provider.quota("eu") }
    ///
    /// One computes at a time over all processes; the others wait and get its value. When it throws, or its process
    /// dies, the next of them computes. The value travels as JSON; one that cannot be decoded is computed anew.
    ///
    /// - Parameters:
    ///   - key: a plain key of the broker: `GET` shows it, `DEL` or ``forget(_:)`` removes it.
    ///   - span: how long it holds; at least a millisecond.
    ///   - limit: after so long without a value another may begin to compute, because the first one may be dead.
    ///   - compute: finds the value out.
    /// - Throws: what `compute` throws, `CancellationError` while it waits, or a `MartletError`.
    public func cached<Value: Codable & Sendable>(
        _ key: String, for span: Duration, within limit: Duration = .seconds(30),
        _ compute: () async throws -> Value
    ) async throws -> Value {
        let mark = Nonce.random()
        var pause = Cache.firstPause
        while true {
            if let value: Value = try await kept(key) { return value }
            let end = ContinuousClock.now + limit
            if try await begin(key, mark, limit) {
                defer { if ContinuousClock.now < end { link.post(RESPCommand("DEL", .text(key + Cache.suffix))) } }
                // It may have come between the look and the mark.
                if let value: Value = try await kept(key) { return value }
                let value = try await compute()
                await keep(try JSON.encode(value), key, span)
                return value
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, Cache.longestPause)
        }
    }

    /// Lets the value of `key` be computed anew the next time.
    public func forget(_ key: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("DEL", .text(key)))
    }

    private func kept<Value: Decodable>(_ key: String) async throws(MartletError) -> Value? {
        guard let bytes = try await link.send(RESPCommand("GET", .text(key))).bytes else { return nil }
        return try? JSON.decode(Value.self, from: bytes)
    }

    /// Whether this call is the one that computes. A repeat after a cut connection finds its own mark.
    private func begin(_ key: String, _ mark: String, _ limit: Duration) async throws(MartletError) -> Bool {
        var command = RESPCommand("SET", .text(key + Cache.suffix), .text(mark), "NX", "GET")
        command.append("PX", .integer(max(limit.wholeMilliseconds, 1)))
        let other = try await link.send(command)
        return other.isNull || other.text == mark
    }

    /// A value that cannot be kept is a value nevertheless.
    private func keep(_ value: Bytes, _ key: String, _ span: Duration) async {
        let command = RESPCommand(
            "SET", .text(key), .bytes(value), "PX", .integer(max(span.wholeMilliseconds, 1)))
        do throws(MartletError) {
            _ = try await link.send(command)
        } catch {
            link.logger.warning("a computed value was not kept", metadata: ["key": "\(key)", "error": "\(error)"])
        }
    }
}
