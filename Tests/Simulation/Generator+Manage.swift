internal import MartletEngine
internal import MartletProtocol

/// What operators say of queues and of tasks that ended.
extension Generator {
    mutating func manage(_ model: Model, _ now: Timestamp) -> MartletEngine.Operation {
        let queue = random.chance(96) ? random.pick(Self.queues) : Bytes("none".utf8)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<14: return .queueSet(set(random.pick(Self.queues), now))
        case 14..<24: return .queuePause(pause())
        case 24..<28 where !hasCrons: return .queueDrain(drain(queue))
        case 28..<44: return .queueResume(QueueRequest(queue: queue, request: nonce()))
        // Those who wait for a deleted queue's tasks are told when these are removed: that is the engine's business.
        case 44..<47 where model.watches.isEmpty && !model.hasParked && !model.hasMembers:
            return .queueDelete(QueueRequest(queue: queue, request: nonce(), caller: newCaller()))
        case 47..<50: return .queueOptions(queue)
        case 50..<72:
            return .retry(
                RetryRequest(id: endedMember(model) ?? anyID(model), reset: random.chance(50), request: nonce()))
        case 72..<78: return .bulk(purge(queue))
        case 78..<86: return .bulk(replay(queue))
        case 86..<92: return .bulk(bulk(queue, now))
        case 92..<96: return .stopOperation(StopOperationRequest(number: anyOperation(model), request: nonce()))
        default: return .operations
        }
    }

    private mutating func set(_ queue: Bytes, _ now: Timestamp) -> QueueSetRequest {
        var options = QueueOptions()
        options.task = self.options(now, queue)
        options.task.due = .now
        options.retryShare = random.pick([nil, 0, 50, 100])
        options.keepMax = random.pick([nil, 0, 2, 6])
        options.deadMax = random.pick([nil, 0, 1, 4])
        options.maxLength = random.pick([nil, 1, 3, 8])
        options.concurrency = random.pick([nil, nil, 1, 3])
        options.groupConcurrency = random.pick([nil, 1, 1, 2])
        options.aging = random.pick([nil, 1, 7, 100])
        options.fair = random.pick([nil, true, true, false])
        options.limit = random.pick([nil, nil, Self.limits[0], Self.limits[0], Self.limits[1]])
        options.breaker = random.pick([nil] + Self.breakers)
        var given: [QueueOption] = []
        for option in QueueOption.allCases where random.chance(fallsBehind && option == .maxLength ? 60 : 25) {
            if option == .timeout, queue != Self.timedQueue { continue }
            // Whether a run of the cron table finds a full queue, is a matter of milliseconds.
            if option == .maxLength, hasCrons { continue }
            if option == .keepMax || option == .deadMax, !keepsFew { continue }
            if option == .fair, fallsBehind { continue }
            given.append(option)
        }
        if !given.contains(.limit) { options.limit = nil }
        if !given.contains(.breaker) { options.breaker = nil }
        return QueueSetRequest(queue: queue, given: given, options: options, request: nonce())
    }

    /// Groups take turns or not, and have so many slots.
    mutating func groupSwitch() -> QueueSetRequest {
        var options = QueueOptions()
        options.groupConcurrency = random.pick([nil, 1, 1, 2])
        options.fair = random.chance(50)
        let given: [QueueOption] =
            fallsBehind ? [.groupConcurrency] : random.pick([[.groupConcurrency], [.groupConcurrency], [.fair]])
        return QueueSetRequest(queue: random.pick(Self.queues), given: given, options: options, request: nonce())
    }

    private mutating func pause() -> QueuePauseRequest {
        QueuePauseRequest(
            queue: random.pick(Self.queues), direction: random.pick([.handingOut, .handingOut, .adding, .both]),
            span: random.pick([nil, 1, 20, 500]), request: nonce())
    }

    private mutating func drain(_ queue: Bytes) -> QueueDrainRequest {
        QueueDrainRequest(
            queue: queue, block: block([.no, .upTo(0), .upTo(20), .upTo(2_000)]), request: nonce(),
            caller: newCaller())
    }

    private mutating func purge(_ queue: Bytes) -> BulkRequest {
        let state = random.pick(TaskState.allCases + [.dead, .pending, .completed])
        return BulkRequest(
            queue: queue, verb: .purge, filter: BulkFilter(state: state), request: nonce(), caller: newCaller())
    }

    private mutating func replay(_ queue: Bytes) -> BulkRequest {
        let filter = BulkFilter(
            state: .dead, type: random.pick([nil, nil] + Self.names), kind: random.pick([nil, nil, Bytes("net".utf8)]),
            most: random.pick([nil, nil, 1, 4]))
        var replay = BulkRequest(
            queue: queue, verb: random.pick([.replay, .replay, .replay, .purge]), filter: filter,
            rate: random.pick([nil, nil, 1, 50, 3_000]), request: nonce(), caller: newCaller())
        replay.isDryRun = replay.verb == .replay && random.chance(25)
        return replay
    }

    private mutating func bulk(_ queue: Bytes, _ now: Timestamp) -> BulkRequest {
        var verb = random.pick([BulkVerb.retry, .delete, .cancel, .move, .move])
        var filter = BulkFilter(
            state: random.pick(TaskState.allCases + [.pending, .pending, .scheduled]),
            type: random.pick([nil, nil, nil] + Self.names), kind: random.pick([nil, nil, nil, Bytes("net".utf8)]),
            most: random.pick([nil, nil, nil, 1, 4]))
        filter.tag = random.pick([nil, nil, nil] + Self.tags)
        filter.age = random.pick([nil, nil, nil, 0, 20, 2_000])
        // They stay where they are: one that is looked at once more is found once more.
        if random.chance(20) { (verb, filter) = (.cancel, BulkFilter(state: .active)) }
        var bulk = BulkRequest(
            queue: queue, verb: verb, filter: filter, rate: random.pick([nil, nil, 1, 50, 3_000]), request: nonce(),
            caller: newCaller())
        bulk.isDryRun = random.chance(15)
        guard verb == .move else { return bulk }
        bulk.target = BulkTarget(
            priority: random.pick([nil, 1, 5, 10]), runAt: random.pick([nil, nil, now - 3, now, now + 1, now + 40]),
            queue: random.pick([nil, nil] + Self.queues))
        return bulk
    }

    private mutating func anyOperation(_ model: Model) -> UInt64? {
        random.pick([nil, 1_000_000] + model.operations.keys.sorted().suffix(4).map { $0 })
    }
}
