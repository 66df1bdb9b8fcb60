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

/// Which list somebody reads.
extension Generator {
    /// Small bounds often, so that every way of finding the tasks is taken, and pages end everywhere.
    mutating func list(withStates: Bool) -> ListRequest {
        var list = ListRequest(queue: random.pick([nil, nil] + Self.queues + [Bytes("none".utf8)]))
        list.type = random.pick([nil, nil, nil, Self.names[0], Bytes("none".utf8)])
        list.tag = random.pick([nil, nil, nil] + Self.tags)
        list.group = random.pick([nil, nil, nil, Self.names[2]])
        list.isReversed = random.chance(50)
        list.count = random.pick([1, 2, 3, 7, 1_000])
        list.bounds.gathered = random.pick([0, 5, 4_000])
        list.bounds.examined = random.pick([1, 3, 2_000])
        list.bounds.bytes = random.pick([1, 4_000, 1 << 20])
        guard withStates else { return list }
        list.kind = random.pick([nil, nil, nil, Bytes("net".utf8)])
        list.worker = random.pick([nil, nil, nil, Self.names[1]])
        list.order = random.pick([.added, .added, .run, .ended])
        list.state = random.pick([nil, nil, .failed] + TaskState.allCases.map { .state($0) })
        return list
    }
}
