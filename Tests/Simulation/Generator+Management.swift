internal import MartletEngine
internal import MartletProtocol

/// What those who look after tasks send.
extension Generator {
    mutating func cancel(_ model: Model) -> CancelRequest {
        CancelRequest(
            id: liveID(model), reason: random.pick([nil, Bytes("not wanted".utf8)]), request: nonce())
    }

    mutating func move(_ model: Model, _ now: Timestamp) -> MoveRequest {
        MoveRequest(
            id: liveID(model), priority: random.pick([nil, 1, 5, 10]),
            runAt: random.pick([nil, nil, now - 3, now, now + 1, now + 40]),
            queue: random.pick([nil, nil] + Self.queues), request: nonce())
    }

    mutating func delete(_ model: Model) -> DeleteRequest {
        let ids = (0..<Int.random(in: 1...3, using: &random)).map { _ in anyID(model) }
        return DeleteRequest(ids: ids, request: nonce())
    }

    /// A task that has not ended mostly; else any.
    private mutating func liveID(_ model: Model) -> TaskID? {
        let live = model.tasks.values.filter { !$0.state.isEnded }.map(\.id).sorted()
        guard random.chance(85), let id = live.randomElement(using: &random) else { return anyID(model) }
        return id
    }
}
