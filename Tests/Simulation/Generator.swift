internal import MartletEngine
internal import MartletProtocol

/// Invents operations from small alphabets, so that the same queues, tokens and nonces meet again and again.
struct Generator {
    var random: SplitMix64
    /// Operations that carried a nonce, to be sent again.
    private var sent: [MartletEngine.Operation] = []
    private var nonceCount = 0
    private var nextCaller: CallerID = 1

    static let queues = ["a", "aa", "é"].map { Bytes($0.utf8) }
    static let keys = [Bytes("k".utf8), Bytes(repeating: 7, count: 256)]
    static let tags = ["red", "old"].map { Bytes($0.utf8) }
    static let names = ["w1", "w2", "w3"].map { Bytes($0.utf8) }

    /// The only one whose tasks may have a TIMEOUT by default.
    static let timedQueue = queues[1]
    /// Where the bookkeeping may fall behind: the one whose tasks have often all expired when those of others have not.
    static let shortLivedQueue = queues[0]
    /// Whether KEEPMAX is set now and then.
    let keepsFew: Bool
    /// Whether there is a cron table.
    let hasCrons: Bool
    /// Whether there are batches.
    let hasBatches: Bool
    /// Whether the bookkeeping may fall behind: nothing is done that asks for it to be done first.
    let fallsBehind: Bool
    var followerCount = 0

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        hasCrons = seed % 4 == 1
        hasBatches = seed % 4 >= 2
        fallsBehind = seed % 8 == 4
        keepsFew = seed % 3 == 0 && !fallsBehind
    }

    /// The next operation; `model` says which tasks and tokens there are.
    mutating func operation(_ model: Model, _ now: Timestamp) -> MartletEngine.Operation {
        if random.chance(4), let again = sent.randomElement(using: &random) {
            // Not while somebody waits for tasks that it may remove: see `manage`.
            let mayRemove = model.watches.isEmpty && !model.hasMembers && !model.hasParked
            if case .queueDelete = again, !mayRemove { return .queueList }
            return again.sentAgain(by: newCaller())
        }
        let operation = fresh(model, now)
        guard operation.request != nil else { return operation }
        sent.append(operation)
        if sent.count > 12 { sent.removeFirst() }
        return operation
    }

    private mutating func fresh(_ model: Model, _ now: Timestamp) -> MartletEngine.Operation {
        if let reserve = weighing(model, now) { return .reserve(reserve) }
        if hasCrons, random.chance(10) { return cron(now) }
        if random.chance(6) { return text(now) }
        if random.chance(14) { return manage(model, now) }
        if random.chance(8) { return limit(model) }
        if random.chance(4) { return breaker() }
        if random.chance(4) { return .queueSet(groupSwitch()) }
        if hasBatches, random.chance(12) { return batch(model) }
        let crowded = model.tasks.values.count(where: \.hasPlace) > 60
        if random.chance(14) { return watching(model) }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<22: return crowded ? .reserve(reserve()) : .add(add(model, now))
        case 22..<24: return crowded ? .reserve(reserve()) : .addMany(addMany(model, now))
        case 24..<43: return .reserve(reserve())
        case 43..<52: return .acknowledge(acknowledge(model, now))
        case 52..<55: return .acknowledgeMany(acknowledgeMany(model))
        case 55..<67: return .fail(fail(model))
        case 67..<72: return .release(release(model))
        case 72..<78: return .touch(touch(model))
        case 78..<82: return .cancel(cancel(model))
        case 82..<86: return .move(move(model, now))
        case 86..<88: return .delete(delete(model))
        case 88..<93: return .get(GetRequest(id: anyID(model), payload: random.chance(50), history: random.chance(50)))
        case 93..<96: return .result(anyID(model))
        case 96..<97: return .why(anyID(model))
        case 97..<99: return .queueInfo(random.chance(90) ? random.pick(Self.queues) : Bytes("none".utf8))
        default: return .queueList
        }
    }

    mutating func newCaller() -> CallerID {
        nextCaller += 1
        return nextCaller
    }

    /// A nonce in one of six operations; now and then one that other arguments were sent with.
    mutating func nonce() -> RequestNonce? {
        guard random.chance(18) else { return nil }
        if random.chance(8), let used = sent.randomElement(using: &random)?.request {
            return RequestNonce(nonce: used.nonce, fingerprint: random.next())
        }
        nonceCount += 1
        return RequestNonce(nonce: Bytes("n\(nonceCount)".utf8), fingerprint: random.next())
    }
}

/// How long callers wait.
extension Generator {
    mutating func block(_ spans: [ReserveRequest.Block]) -> ReserveRequest.Block {
        fallsBehind ? .no : random.pick(spans)
    }
}

/// What producers send.
extension Generator {
    private mutating func after(_ model: Model) -> Dependencies {
        let ids = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            random.chance(95) ? model.tasks.keys.sorted().randomElement(using: &random) : anyID(model)
        }
        return Dependencies(ids, onDead: random.pick([.wait, .wait, .cancel, .run]))
    }

    private mutating func children(_ model: Model, _ now: Timestamp) -> [AddRequest] {
        guard random.chance(20), model.tasks.values.count(where: \.hasPlace) < 60 else { return [] }
        return (0..<Int.random(in: 1...3, using: &random)).map { _ in
            var child = add(model, now)
            (child.request, child.full) = (nil, false)
            // One that ends and goes at once would leave no trace to know its id by.
            if child.after != nil { child.options.keep = 1_000 }
            if keepsFew { child.after = nil }
            return child
        }
    }

    private mutating func add(_ model: Model, _ now: Timestamp) -> AddRequest {
        let queue = random.pick(Self.queues)
        var add = AddRequest(
            queue: queue, type: random.pick(Self.names), payload: bytes(), options: options(now, queue),
            request: nonce(), full: random.chance(50))
        add.options.limits = taskLimits(model)
        if !fallsBehind, random.chance(15) { add.after = after(model) }
        add.batch = joined(model)
        guard random.chance(35) else { return add }
        add.unique = UniqueKey(
            random.pick(Self.keys), span: random.pick([nil, nil, 5, 100, 5_000]),
            until: random.pick([.start, .done, .done, .expire]))
        add.conflict = random.pick([.skip, .skip, .error, .replace])
        return add
    }

    private mutating func addMany(_ model: Model, _ now: Timestamp) -> AddManyRequest {
        let items = (0..<Int.random(in: 1...4, using: &random)).map { _ in
            AddManyRequest.Item(type: random.pick(Self.names), payload: bytes())
        }
        let queue = random.pick(Self.queues)
        var add = AddManyRequest(
            queue: queue, items: items, options: options(now, queue), request: nonce(),
            full: random.chance(50))
        add.options.limits = taskLimits(model)
        if !fallsBehind, random.chance(15) { add.after = after(model) }
        add.batch = joined(model)
        return add
    }

    mutating func options(_ now: Timestamp, _ queue: Bytes) -> TaskOptions {
        var options = TaskOptions()
        options.priority = random.pick([nil, 1, 5, 5, 5, 10])
        options.due = random.pick([
            .now, .now, .now, .now, .after(0), .after(1), .after(50), .after(1_000), .at(now - 5), .at(now),
            .at(now + 10),
        ])
        options.retries = random.pick([nil, 0, 1, 2, 5])
        options.backoff = random.pick([
            nil, .exponential(base: 10, cap: 35), .exponential(base: 1, cap: 1_000_000), .linear(step: 10, cap: 25),
            .fixed(0), .fixed(30), .list([5, 0, 100]),
        ])
        options.lease = random.pick([nil, 1, 10, 10, 100, 5_000])
        options.timeout = random.pick([nil, nil, nil, 5, 50, 300])
        // What times out by itself has no reply that tells its jitter.
        options.jitter = options.timeout == nil && queue != Self.timedQueue ? random.pick([nil, 0, 0, 100]) : 0
        options.timeToLive = random.pick([nil, nil, nil, 1, 20, 200, 10_000])
        if fallsBehind, queue == Self.shortLivedQueue { options.timeToLive = random.pick([1, 20, 20, 200]) }
        options.keep = random.pick([nil, 0, 0, 10, 1_000])
        options.group = random.pick([nil, nil] + Self.names)
        options.order = random.pick([nil, nil, nil, nil, nil] + Self.keys)
        // While one waits for another, nothing falls behind.
        if fallsBehind, random.chance(90) { options.order = nil }
        options.tags = random.pick([[], [], [Self.tags[0]], Self.tags])
        options.meta = random.pick([[], [], [MetaField(name: Self.tags[0], value: bytes())]])
        return options
    }

    /// Short ones mostly; some too large to lie in the task's record, some large enough to be compressed.
    mutating func bytes() -> Bytes {
        let size =
            random.chance(95) ? Int.random(in: 0...20, using: &random) : random.pick([2_048, 2_049, 5_000, 9_000])
        let seed = UInt8.random(in: 0...255, using: &random)
        return (0..<size).map { UInt8(truncatingIfNeeded: $0 / 7) &+ seed }
    }
}

/// What workers send.
extension Generator {
    mutating func reserve() -> ReserveRequest {
        let some = (0..<random.pick([1, 1, 2, 3])).map { _ in random.pick(Self.queues) }
        var queues = random.chance(fallsBehind ? 60 : 25) ? Self.queues : some
        if hasBatches, random.chance(20) { queues.append(Self.followerQueue) }
        var reserve = ReserveRequest(
            queues: queues, count: random.pick([1, 1, 1, 2, 5]), block: block([.no, .no, .upTo(0), .upTo(20)]),
            lease: random.pick([nil, nil, nil, 5, 200]), worker: random.pick([nil] + Self.names), request: nonce(),
            caller: newCaller())
        let weights = queues.map { _ in random.pick(fallsBehind ? [1, 2, 7] : [1, 2, 7, 1_000_000] as [Int64]) }
        reserve.mode = random.pick([.strict, .strict, .ordered, .weighted(weights), .weighted(weights)])
        return reserve
    }

    /// Several queues are weighed against each other while one of them has nothing but tasks that expired unnoticed.
    private mutating func weighing(_ model: Model, _ now: Timestamp) -> ReserveRequest? {
        guard fallsBehind else { return nil }
        let due = model.tasks.values.filter { $0.isWaiting && $0.runAt <= now }
        let alive = Set(due.filter { $0.expiresAt.map { $0 > now } ?? true }.map(\.queue))
        guard alive.count == 2, Set(due.map(\.queue)).count == 3, random.chance(80) else { return nil }
        var reserve = ReserveRequest(queues: Self.queues, count: random.pick([1, 2]), caller: newCaller())
        reserve.mode = .weighted(Self.queues.map { _ in random.pick([1, 2, 7]) })
        return reserve
    }

    private mutating func acknowledge(_ model: Model, _ now: Timestamp) -> AcknowledgeRequest {
        let target = target(model)
        var acknowledge = AcknowledgeRequest(
            id: target.id, token: target.token, result: random.chance(40) ? bytes() : nil, request: nonce(),
            next: random.chance(30) ? reserve() : nil)
        acknowledge.children = children(model, now)
        return acknowledge
    }

    private mutating func acknowledgeMany(_ model: Model) -> AcknowledgeManyRequest {
        let tasks = (0..<Int.random(in: 1...4, using: &random)).map { _ in target(model) }
        return AcknowledgeManyRequest(tasks: tasks, request: nonce())
    }

    private mutating func fail(_ model: Model) -> FailRequest {
        let target = target(model)
        return FailRequest(
            id: target.id, token: target.token, message: Bytes("broke".utf8),
            kind: random.pick([nil, Bytes("net".utf8)]), trace: random.pick([nil, Bytes("at line 1".utf8)]),
            next: random.pick([.backoff, .backoff, .backoff, .retry(0), .retry(40), .dead]), request: nonce())
    }

    private mutating func release(_ model: Model) -> ReleaseRequest {
        let target = target(model)
        return ReleaseRequest(
            id: target.id, token: target.token, delay: random.pick([0, 0, 1, 30]),
            priority: random.pick([nil, nil, 1, 10]),
            request: nonce())
    }

    private mutating func touch(_ model: Model) -> TouchRequest {
        let target = target(model)
        return TouchRequest(
            id: target.id, token: target.token, lease: random.pick([nil, nil, 1, 100, 60_000]),
            progress: random.pick([nil, 0, 50, 100]), note: random.pick([nil, Bytes("half".utf8)]), request: nonce())
    }

    /// A leased task and its token mostly; else a token that is not its own, or any task at all.
    mutating func target(_ model: Model) -> (id: TaskID?, token: Int64) {
        let leased = model.tasks.values.filter { $0.state == .active }.sorted { $0.id < $1.id }
        let roll = Int.random(in: 0..<100, using: &random)
        if roll < 80, let task = leased.randomElement(using: &random), let hold = task.hold {
            return (task.id, roll < 74 ? hold.token : hold.token - 1)
        }
        let id = anyID(model)
        let ended = id.flatMap { model.tasks[$0]?.endings.keys.sorted().randomElement(using: &random) }
        return (id, ended ?? random.pick([0, -1, 1, model.newestToken, .max]))
    }

    /// Any task there is; now and then one that is not.
    mutating func anyID(_ model: Model) -> TaskID? {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<2: nil
        case 2..<5: TaskID(sequence: 1 << 40, check: 1)
        case 5..<8: model.newestID
        default: model.tasks.keys.sorted().randomElement(using: &random)
        }
    }
}
