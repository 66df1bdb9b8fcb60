import MartletClient
import Testing

/// Tasks that the clock adds, against the real broker.
@Suite(.timeLimit(.minutes(1)))
struct CronTests {
    @Test func anEntryIsSetReadAndDeleted() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let schedule = CronSchedule.spec("30 7 * * MON-FRI", zone: "Europe/Berlin")
        try await client.setCron(
            "daily", schedule: schedule, .init(number: 1), as: Twice.self, overlap: .skip, catchUp: .all)
        let entry = try await client.cron("daily")
        #expect(entry.schedule == schedule && entry.overlap == .skip && entry.catchUp == .all)
        #expect(entry.queue == Twice.queue && entry.type == Twice.type)
        #expect(entry.runs == 0 && entry.lastRun == nil && entry.lastID == nil && !entry.isPaused)
        let times = try await client.nextRuns(ofCron: "daily", 20)
        #expect(times.count == 20 && times.first == entry.nextRun && times == times.sorted())
        try await client.setCron("other", schedule: .every(.seconds(3_600)), bytes: [0xff], type: "t", queue: "q")
        #expect(try await client.crons().map(\.name) == ["daily", "other"])
        #expect(try await client.cron("other").schedule == .every(.seconds(3_600)))
        try await client.deleteCron("daily")
        #expect(try await client.crons().map(\.name) == ["other"])
        await #expect {
            try await client.cron("daily")
        } throws: {
            ($0 as? MartletError)?.code == .error
        }
        await client.close()
    }

    @Test func eachTaskHasThePayloadAndTheOptions() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var options = TaskOptions()
        options.priority = 9
        options.addTags("clock")
        try await client.setCron(
            "yearly", schedule: .spec("0 0 1 1 *"), .init(number: 7), as: Twice.self, queue: "elsewhere",
            options: options)
        let id = try await client.runCron("yearly")
        let task = try await client.task(id, payload: true)
        #expect(task.queue == "elsewhere" && task.priority == 9 && task.tags == ["clock"])
        #expect(task.payload.map { String(decoding: $0, as: UTF8.self) } == #"{"number":7}"#)
        let entry = try await client.cron("yearly")
        #expect(entry.lastID == id && entry.runs == 1 && entry.lastRun != nil && entry.history == nil)
        let next = try await client.runCron("yearly")
        let history = try #require(try await client.cron("yearly", history: true).history)
        #expect(history.map(\.id) == [id, next] && history[0].at == entry.lastRun && history[1].at >= history[0].at)
        await client.close()
    }

    @Test func theClockAddsTasksUntilItIsPaused() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setCron("often", schedule: .every(.milliseconds(100)), .init(number: 3), as: Twice.self)
        let runs = Runs()
        var handlers = TaskHandlers()
        handlers.register(Twice.self) { payload, context in
            runs.add(payload.number, attempt: context.attempt)
            return .init(number: payload.number * 2)
        }
        var options = WorkerOptions()
        options.maxTasks = 3
        try await Worker(broker.configuration, queues: [Twice.queue], handlers: handlers, options: options).run()
        #expect(runs.all.count >= 3 && runs.all.allSatisfy { $0.number == 3 && $0.attempt == 1 })
        try await client.pauseCron("often")
        let paused = try await client.cron("often")
        #expect(paused.isPaused && paused.nextRun == nil && paused.runs >= 3)
        try await client.resumeCron("often")
        #expect(try await client.cron("often").nextRun != nil)
        await client.close()
    }
}
