import Logging
import MartletProtocol

// Get or compute: what is costly to find out and holds for a while is found out once, for all processes.
extension MartletClient {
    /// The value of `key`; where there is none, what `compute` gives, kept at the broker for `span`.
    ///
    ///     let quota = try await client.cached("quota:eu", for: .seconds(60)) { try await provider.quota("eu") }
    ///
    /// One computes at a time over all processes; the others wait and get its value. When it throws, the next of them
    /// computes at once, and when its process dies, after `limit`. A value that is there costs one `GET`. It travels as
    /// JSON of at most 8 MiB; something else under that key is computed anew.
    ///
    /// - Parameters:
    ///   - key: a plain key of the broker, 1 to 65,536 bytes, that does not begin with `@`. `GET` shows the value,
    ///     `DEL` or ``forget(_:)`` removes it, a computation that is under way included.
    ///   - span: how long the value holds; at least a millisecond.
    ///   - limit: how long a computation may take. After that its process counts as dead and another begins; whoever
    ///     computed longer gets its own value, which is not kept.
    ///   - compute: finds the value out.
    /// - Throws: what `compute` throws, `CancellationError` while it waits for another's value, or a `MartletError`:
    ///   `encoding`, and what any command throws. A value that the broker does not keep is returned nevertheless, and
    ///   the log says so.
    public func cached<Value: Codable & Sendable>(
        _ key: String, for span: Duration, within limit: Duration = .seconds(30),
        _ compute: () async throws -> Value
    ) async throws -> Value {
        let claim = CacheClaim(link: link, key: key, limit: limit)
        var pause = CacheClaim.firstPause
        while true {
            switch try await claim.look(Value.self) {
            case .kept(let value): return value
            case .claimed: return try await claim.fill(for: span, compute)
            case .taken: try await Task.sleep(for: pause)
            }
            pause = min(pause * 2, CacheClaim.longestPause)
        }
    }

    /// Lets the value of `key` be computed anew the next time; one that is being computed now is not kept.
    public func forget(_ key: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("DEL", .text(key)))
    }
}

/// One call's claim to compute what a key shall hold. Until then the key holds the mark of who computes it:
///
///     none ──SET NX──> computing <nonce> ──SET IFEQ──> value ──its span──> none
///                             └── thrown, or the limit ──> none
///
/// Everything happens under that one key, so that whoever lost the claim finds another mark, or a value, and leaves it.
private struct CacheClaim {
    /// Pauses of one who waits for another's value, between two looks.
    static let firstPause = Duration.milliseconds(10)
    static let longestPause = Duration.milliseconds(200)
    /// No JSON begins like that.
    static let head = Bytes("computing ".utf8)

    enum Found<Value> {
        case kept(Value)
        /// By this call.
        case claimed
        /// By another.
        case taken
    }

    let link: Link
    let key: String
    let limit: Duration
    let mark = Self.head + Nonce.random().utf8

    /// What is there; claims the key where that is nothing.
    func look<Value: Decodable>(_ type: Value.Type) async throws(MartletError) -> Found<Value> {
        var found = try await link.send(RESPCommand("GET", .text(key))).bytes
        if found == nil {
            found = try await link.send(set(mark, for: limit, "NX", "GET")).bytes
            guard found != nil else { return .claimed }
        }
        // A repeat after a cut connection finds its own mark.
        guard let found, found != mark else { return .claimed }
        guard !found.starts(with: Self.head) else { return .taken }
        if let value = try? JSON.decode(type, from: found) { return .kept(value) }
        return try await replace(found, with: mark, for: limit) ? .claimed : .taken
    }

    /// Computes the value and keeps it, if the claim still stands; gives the claim up when there is none.
    func fill<Value: Encodable>(for span: Duration, _ compute: () async throws -> Value) async throws -> Value {
        let (value, bytes): (Value, Bytes)
        do {
            value = try await compute()
            bytes = try JSON.encode(value)
        } catch {
            giveUp()
            throw error
        }
        do throws(MartletError) {
            guard try await !replace(mark, with: bytes, for: span) else { return value }
            link.logger.debug("a value was computed too slowly to be kept", metadata: ["key": "\(key)"])
        } catch {
            giveUp()
            link.logger.warning("a value was not kept", metadata: ["key": "\(key)", "error": "\(error)"])
        }
        return value
    }

    private func replace(_ old: Bytes, with new: Bytes, for span: Duration) async throws(MartletError) -> Bool {
        var command = set(new, for: span, "IFEQ")
        command.append(.bytes(old))
        return try await !link.send(command).isNull
    }

    /// The mark goes, unless it is gone already; nobody waits for that.
    private func giveUp() {
        var command = set(mark, for: .milliseconds(1), "IFEQ")
        command.append(.bytes(mark))
        link.post(command)
    }

    private func set(_ value: Bytes, for span: Duration, _ conditions: RESPCommand.Argument...) -> RESPCommand {
        var command = RESPCommand("SET", .text(key), .bytes(value))
        command.append("PX", .integer(max(span.wholeMilliseconds, 1)))
        for condition in conditions { command.append(condition) }
        return command
    }
}
