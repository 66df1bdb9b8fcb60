import Logging
import MartletClient
import Testing

/// Everything that is asked and ordered, against the real broker.
@Suite(.timeLimit(.minutes(2)))
struct InspectionTests {
    /// Runs every task of `queue` once; each ends as dead letter of the given kind.
    private static func killAll(_ broker: BrokerProcess, _ queue: String, kind: String, count: Int) async throws {
        var handlers = TaskHandlers()
        handlers.register(Twice.self) { _, _ in throw TaskFailure.dead("no", kind: kind) }
        var options = WorkerOptions()
        options.maxTasks = count
        options.slots = 1
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        try await Worker(broker.configuration, queues: [queue], handlers: handlers, options: options, logger: logger)
            .run()
    }

    @Test func listsAreReadPageByPage() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var tagged = TaskOptions()
        tagged.addTags("even")
        var added: [TaskID] = []
        for number in 0..<25 {
            let options = number % 2 == 0 ? tagged : TaskOptions()
            added.append(try await client.enqueue(.init(number: number), as: Twice.self, options: options).id)
        }
        var query = TaskQuery(queue: Twice.queue, state: .pending)
        query.pageSize = 4
        var seen: [TaskID] = []
        for try await task in client.tasks(query) { seen.append(task.id) }
        #expect(seen == added)
        query.isReversed = true
        query.tag = "even"
        #expect(try await client.tasks(query).collect(limit: 3).map(\.id) == [added[24], added[22], added[20]])
        #expect(try await client.tasks(TaskQuery(state: .dead)).collect().isEmpty)
        await client.close()
    }

    @Test func tasksAreMovedCancelledAndDeleted() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var later = TaskOptions()
        later.due = .after(600_000)
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self, options: later)
        #expect(try await client.move(handle.id, priority: 9, at: 0, queue: "elsewhere") == .pending)
        let moved = try await handle.details()
        #expect(moved.queue == "elsewhere" && moved.priority == 9)
        #expect(try await handle.cancel(reason: "changed my mind") == .cancelled)
        #expect(try await client.retry(handle.id) == .pending)
        #expect(try await client.delete([handle.id]) == 1)
        await #expect {
            try await handle.details()
        } throws: {
            ($0 as? MartletError)?.code == .noTask
        }
        await client.close()
    }

    @Test func aUniqueKeyIsHeldByOneTask() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let key = UniqueKey("invoice 7", for: .seconds(600))
        let handles = try await withThrowingTaskGroup(of: TaskHandle<Twice.Output>.self) { group in
            for number in 0..<100 {
                group.addTask { try await client.enqueue(.init(number: number), as: Twice.self, unique: key) }
            }
            return try await group.reduce(into: [TaskHandle<Twice.Output>]()) { $0.append($1) }
        }
        #expect(Set(handles.map(\.id)).count == 1 && handles.count { $0.isNew == true } == 1)
        await #expect {
            try await client.enqueue(.init(number: 1), as: Twice.self, unique: key, onConflict: .error)
        } throws: {
            ($0 as? MartletError)?.code == .duplicate
        }
        let other = try await client.enqueue(.init(number: 1), as: Twice.self, unique: key, onConflict: .replace)
        #expect(other.isNew == true && other.id != handles[0].id)
        #expect(try await handles[0].details().state == .cancelled)
        await client.close()
    }

    @Test func aQueueIsSetPausedPurgedAndDeleted() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setQueue("set", .priority(7), .retries(1), .backoff(.list([5, 10])), .keepMax(10))
        let options = try await client.queueOptions("set")
        #expect(options["PRIORITY"] == "7" && options["BACKOFF"] == "LIST 2 5 10" && options["KEEPMAX"] == "10")
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self, queue: "set")
        let details = try await handle.details()
        #expect(details.priority == 7 && details.retries == 1)
        try await client.pauseQueue("set", .in, for: .seconds(600))
        #expect(try await client.queueInfo("set").paused)
        await #expect {
            try await client.enqueue(.init(number: 2), as: Twice.self, queue: "set")
        } throws: {
            ($0 as? MartletError)?.code == .paused
        }
        try await client.resumeQueue("set")
        _ = try await client.enqueue(.init(number: 2), as: Twice.self, queue: "set")
        #expect(try await client.purgeQueue("set", .pending) == 2)
        try await client.deleteQueue("set")
        #expect(try await client.queues().isEmpty)
        await client.close()
    }

    @Test func deadLettersAreCountedReplayedAndPurged() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        _ = try await client.enqueue(many: (0..<150).map { .init(number: $0) }, as: Twice.self)
        try await Self.killAll(broker, Twice.queue, kind: "poison", count: 150)
        let letters = try await client.deadLetters(Twice.queue).collect()
        #expect(letters.count == 150 && letters.allSatisfy { $0.errorKind == "poison" && $0.state == .dead })
        let kinds = try await client.deadLetterKinds(Twice.queue).collect()
        #expect(kinds.map(\.kind) == ["poison"] && kinds.first?.count == 150)
        let some = ReplayFilter(kind: "poison", most: 100, rate: 1_000)
        #expect(try await client.countReplay(Twice.queue, some) == 100)
        #expect(try await client.countReplay(Twice.queue, ReplayFilter(kind: "other")) == 0)
        let operation = try await client.replayDeadLetters(Twice.queue, some)
        var last: OperationDetails?
        for try await details in client.progress(of: operation, every: .milliseconds(20)) { last = details }
        #expect(last?.endedAt != nil && last?.done == 100 && last?.failed == 0 && last?.rate == 1_000)
        let queue = try await client.queueInfo(Twice.queue)
        #expect(queue.pending == 100 && queue.dead == 50)
        #expect(try await client.operations().map(\.id) == [operation])
        await #expect {
            try await client.stopOperation(operation)
        } throws: {
            ($0 as? MartletError)?.code == .badState
        }
        #expect(try await client.purgeDeadLetters(Twice.queue, kind: "poison") == 50)
        await client.close()
    }

    @Test func aQueueIsBoundedAndDrained() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setQueue(
            "set", .maxLength(1), .concurrency(2), .aging(1_000), .retryShare(50), .deadLettersMax(7))
        let options = try await client.queueOptions("set")
        #expect(options["MAXLEN"] == "1" && options["CONCURRENCY"] == "2" && options["AGING"] == "1000")
        #expect(options["RETRYSHARE"] == "50" && options["DLQMAX"] == "7")
        var grouped = TaskOptions()
        grouped.setGroup("seven")
        let task = try await client.enqueue(.init(number: 1), as: Twice.self, queue: "set", options: grouped)
        #expect(try await task.details().group == "seven")
        await #expect {
            try await client.enqueue(.init(number: 2), as: Twice.self, queue: "set")
        } throws: {
            ($0 as? MartletError)?.code == .queueFull
        }
        #expect(try await !client.drainQueue("set"))
        #expect(try await !client.drainQueue("set", wait: .milliseconds(20)))
        let draining = Task { try await client.drainQueue("set", wait: .seconds(30)) }
        let queue = try await client.queueInfo("set")
        #expect(queue.draining && queue.retryShare == 50 && queue.runP99 == nil)
        #expect(queue.inRate ?? 0 > 0 && queue.outRate == 0)
        try await task.cancel()
        #expect(try await draining.value)
        await client.close()
    }

    @Test func whyATaskDoesNotRunIsTold() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let first = try await client.enqueue(.init(number: 1), as: Twice.self)
        let second = try await client.enqueue(.init(number: 2), as: Twice.self)
        #expect(try await first.why().reason == .noWorker)
        #expect(try await second.why().reason == .behind)
        try await client.pauseQueue(Twice.queue, for: .seconds(600))
        let wait = try await client.why(first.id)
        #expect(wait.reason == .paused && wait.state == .pending && wait.until != nil && !wait.detail.isEmpty)
        await client.close()
    }

    @Test func whatIsDoneToOneIsDoneToMany() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        _ = try await client.enqueue(many: (0..<150).map { .init(number: $0) }, as: Twice.self)
        var filter = BulkFilter(queue: Twice.queue, state: .pending)
        filter.most = 100
        #expect(try await client.countBulk(.cancel, filter) == 100)
        let cancelling = try await client.bulk(.cancel, filter)
        var last: OperationDetails?
        for try await details in client.progress(of: cancelling, every: .milliseconds(20)) { last = details }
        #expect(last?.done == 100 && last?.failed == 0)
        filter.rate = 10_000
        let moving = try await client.bulk(.move(priority: 2, queue: "other"), filter)
        for try await _ in client.progress(of: moving, every: .milliseconds(20)) {}
        let moved = try await client.tasks(TaskQuery(queue: "other")).collect()
        #expect(moved.count == 50 && moved.allSatisfy { $0.priority == 2 })
        filter.olderThan = .seconds(600)
        #expect(try await client.countBulk(.delete, filter) == 0)
        await client.close()
    }
}
