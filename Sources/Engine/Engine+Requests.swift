import MartletProtocol
import MartletStorage

/// What is known of a command's nonce.
enum Recall {
    /// Never seen (or forgotten): go on.
    case unknown
    /// It was answered so.
    case answer(RememberedAnswer)
    /// It was used for something else.
    case refused(CommandError)
}

extension Engine {
    func remembered<A>(
        _ request: RequestNonce?, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Recall {
        guard let request else { return .unknown }
        guard let found = try find(request.nonce, now, transaction) else { return .unknown }
        guard found.request.fingerprint == request.fingerprint else { return .refused(Self.otherArguments) }
        return .answer(found.answer)
    }

    /// What a command is answered whose nonce was used before; `nil`: it is new.
    func repeated<A>(
        _ request: RequestNonce?, one: Bool = false, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Answer? {
        switch try remembered(request, now, transaction) {
        case .refused(let refusal): .refused(refusal)
        case .answer(let answer): render(answer, one: one)
        case .unknown: nil
        }
    }

    static var otherArguments: CommandError {
        CommandError(.error, "REQ nonce was used with other arguments; take a new nonce for a new command")
    }

    private func find<A>(
        _ nonce: Bytes, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> RememberedRequest? {
        if let open = nonces.inOpenGroup(nonce) { return open }
        guard let group = nonces.group(nonce) else { return nil }
        let found = try transaction.read(Tables.requests, Self.requestKey(group)) { record -> RememberedRequest? in
            guard record.int64() > now - Limits.nonceAge else { return nil }
            var newest: RememberedRequest?
            for _ in 0..<record.uint32() where record.left > 0 {
                let remembered = RememberedRequest(from: &record)
                if remembered.request.nonce == nonce { newest = remembered }
            }
            return newest
        }
        return found ?? nil
    }

    /// Remembers an answer under the command's nonce, if it has one, and renders it.
    mutating func remember(_ request: RequestNonce?, _ answer: RememberedAnswer, one: Bool = false) -> Answer {
        if let request { nonces.remember(.init(request, answer)) }
        return render(answer, one: one)
    }

    /// How a remembered answer reads. Leases are not rendered: whether they are still held decides.
    func render(_ answer: RememberedAnswer, one: Bool = false) -> Answer {
        switch answer {
        case .ok, .acknowledged, .reserved: .ok
        case .id(let sequence): .id(broker.id(sequence))
        case .ids(let sequences): .ids(sequences.map(broker.id))
        case .added(let rows): rows.count == 1 && one ? .added(view(rows[0])) : .addedMany(rows.map(view))
        case .many(let outcomes): .many(outcomes)
        case .failed(let attempt): .failed(attempt)
        case .touched(let deadline, let cancel): .touched(deadline: deadline, cancel: cancel)
        case .state(let state): .state(state)
        case .count(let count): .count(count)
        case .operation(let number): .operation(number)
        case .taken(let answer): .taken(answer)
        case .allowed(let phase): .allowed(phase, true)
        case .beat(let beat): .beat(beat)
        }
    }

    private func view(_ row: RememberedAnswer.AddedRow) -> AddedTask {
        AddedTask(id: broker.id(row.sequence), state: row.state, created: row.created, runAt: row.runAt)
    }

    static func requestKey(_ group: UInt64) -> KeyBytes { taskKey(group) }

    /// `at i64 │ n u32 │ n remembered requests`: one record for all that a group remembers.
    mutating func storeRequests(
        _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        broker.lastRequestGroup += 1
        let open = nonces.open
        try transaction.append(Tables.requests, Self.requestKey(broker.lastRequestGroup)) { record in
            record.int64(now)
            record.uint32(UInt32(open.count))
            for remembered in open { remembered.write(to: &record) }
        }
        try forgetOldRequests(now, transaction)
    }

    /// Two old groups go for each new one, so that there is never much to do.
    private mutating func forgetOldRequests(
        _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for _ in 0..<2 {
            guard let oldest = try transaction.first(Tables.requests, from: KeyBytes(), prefix: KeyBytes()) else {
                return
            }
            let surplus = nonces.count + nonces.open.count - Limits.nonceCount
            let old = try transaction.read(Tables.requests, oldest.key) { record -> [Bytes]? in
                let at = record.int64()
                let count = record.uint32()
                guard at <= now - Limits.nonceAge || surplus >= Int(count) else { return nil }
                return (0..<count).map { _ in RememberedRequest(from: &record).request.nonce }
            }
            guard case let forgotten?? = old else { return }
            try transaction.delete(Tables.requests, oldest.key)
            var reader = oldest.key.reader
            nonces.forget(forgotten, group: reader.next())
        }
    }
}
