import MartletClient

extension Snippets {
    static func inspect(_ client: MartletClient, _ later: TaskHandle<Resize.Output>) async throws {
        var query = TaskQuery(queue: Resize.queue)
        query.state = .failed
        query.isReversed = true
        for try await task in client.tasks(query) {
            print(task.id, task.attempt, task.lastError ?? "")
        }

        let wait = try await later.why()
        print(wait.reason, wait.detail, wait.until ?? 0)

        var stale = BulkFilter(queue: Resize.queue, state: .scheduled)
        stale.olderThan = .seconds(86_400)
        stale.rate = 1_000
        print(try await client.countBulk(.cancel, stale), "would be cancelled")
        let cancelling = try await client.bulk(.cancel, stale)
        for try await now in client.progress(of: cancelling) { print("\(now.done) of \(now.matched)") }

        try await client.move(later.id, priority: 10, at: 0)
        try await later.cancel(reason: "not needed any more")
        try await client.retry(later.id, resetting: true)

        let task = later
        for try await line in client.logs(task.id) { print(line.attempt, line.line) }
    }

    static func follow(_ client: MartletClient) async throws {
        var last = EventPosition.start
        for try await event in client.events(after: last) {
            print(event.at, event.id, event.from?.name ?? "new", event.to.name)
            last = event.position
            if event.to == .completed { break }
        }
        print("the next time from \(last)")
    }

    static func lookAfter(_ client: MartletClient) async throws {
        try await client.setQueue("images", .retries(5), .backoff(.fixed(.seconds(2))), .keepMax(100_000))
        try await client.pauseQueue("images", for: .seconds(60))
        try await client.resumeQueue("images")
        let queue = try await client.queueInfo("images")
        print("\(queue.pending) wait, \(queue.active) run, \(queue.dead) are dead letters")

        try await client.setQueue("images", .maxLength(1_000_000), .concurrency(50), .aging(.seconds(60)))
        let isEmpty = try await client.drainQueue("images", wait: .seconds(1))
        if !isEmpty { print("it still has tasks") }
        try await client.resumeQueue("images")

        try await client.setQueue("images", .fair(true), .groupConcurrency(4))

        for try await kind in client.deadLetterKinds("images") { print(kind.kind ?? "-", kind.count) }
        let replay = try await client.replayDeadLetters("images", ReplayFilter(kind: "timeout", rate: 100))
        for try await now in client.progress(of: replay) { print("\(now.done) of \(now.matched)") }
        try await client.purgeDeadLetters("images")

        for worker in try await client.workers() { print(worker.id, worker.state, worker.busy) }
        try await client.quietWorker("*")
    }

    static func keep(_ client: MartletClient, in directory: String) async throws {
        try await client.snapshot(to: directory + "/martlet-backup")
        let check = try await client.checkData()
        if !check.isSound { print(check.problems.joined(separator: "\n")) }

        try await client.setReadOnly(true)
        print(try await client.brokerInfo().readOnlyReason ?? "changes are made")
        try await client.setReadOnly(false)
    }
}
