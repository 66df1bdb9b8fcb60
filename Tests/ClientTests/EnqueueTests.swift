import MartletClient
import Testing

/// Producers against the real broker.
@Suite(.timeLimit(.minutes(3)))
struct EnqueueTests {
    @Test func aTaskIsSubmittedWithItsOptionsAndSeen() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var options = TaskOptions()
        options.priority = 9
        options.due = .after(60_000)
        options.retries = 7
        options.backoff = .list([10, 20])
        options.jitter = 5
        options.lease = 1_000
        options.timeout = 2_000
        options.timeToLive = 120_000
        options.keep = 5_000
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self, options: options)
        let details = try await handle.details(payload: true, history: true)
        #expect(details.queue == "numbers" && details.type == "twice" && details.state == .scheduled)
        #expect(details.priority == 9 && details.retries == 7 && details.attempt == 0)
        #expect(details.runAt == details.enqueuedAt + 60_000)
        #expect(details.payload == Bytes(#"{"number":1}"#.utf8))
        #expect(details.history?.first?.to == .scheduled)
        let queue = try await client.queueInfo("numbers")
        #expect(queue.scheduled == 1 && queue.totalAdded == 1 && !queue.paused)
        #expect(try await client.queues().map(\.name) == ["numbers"])
        await client.close()
    }

    @Test func aRefusalCarriesTheBrokersCode() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var options = TaskOptions()
        options.priority = 11
        await #expect {
            try await client.enqueue(.init(number: 1), as: Twice.self, options: options)
        } throws: {
            ($0 as? MartletError)?.code == .error
        }
        await #expect {
            try await client.task(TaskID(sequence: 1, check: 1))
        } throws: {
            ($0 as? MartletError)?.code == .noTask
        }
        await #expect {
            try await client.queueInfo("nowhere")
        } throws: {
            ($0 as? MartletError)?.code == .noQueue
        }
        await client.close()
        await #expect {
            try await client.connect()
        } throws: {
            if case .closed? = $0 as? MartletError { true } else { false }
        }
    }

    @Test func manyTasksKeepTheirOrderOverSeveralTransactions() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let payloads = (0..<2_500).map { Twice.Payload(number: $0) }
        let handles = try await client.enqueue(many: payloads, as: Twice.self)
        #expect(handles.map(\.id) == handles.map(\.id).sorted())
        #expect(Set(handles.map(\.id)).count == 2_500)
        #expect(try await handles[1_999].details(payload: true).payload == Bytes(#"{"number":1999}"#.utf8))
        #expect(try await client.queueInfo("numbers").pending == 2_500)
        await client.close()
    }

    @Test func theSameNonceSubmitsOnce() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let first = try await client.enqueue(.init(number: 1), as: Twice.self, nonce: "order 17")
        let second = try await client.enqueue(.init(number: 1), as: Twice.self, nonce: "order 17")
        #expect(first.id == second.id)
        #expect(try await client.queueInfo("numbers").totalAdded == 1)
        await client.close()
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func connectionsCutAnywhereNeitherLoseNorDoubleATask(seed: UInt64) async throws {
        let broker = try BrokerProcess()
        let proxy = try await CuttingProxy(target: broker.port, seed: seed, budget: 600...9_000)
        let client = MartletClient(proxy.configuration)
        let ids = try await withThrowingTaskGroup(of: [TaskID].self) { group in
            for lane in 0..<8 {
                group.addTask {
                    var ids: [TaskID] = []
                    for number in 0..<150 {
                        let payload = Twice.Payload(number: lane * 150 + number)
                        ids.append(try await client.enqueue(payload, as: Twice.self).id)
                    }
                    return ids
                }
            }
            return try await group.reduce(into: [TaskID]()) { $0 += $1 }
        }
        #expect(Set(ids).count == 1_200)
        let queue = try await client.queueInfo("numbers")
        #expect(queue.totalAdded == 1_200 && queue.pending == 1_200)
        #expect(try await proxy.cutCount >= 20, "the proxy has to have cut something")
        await client.close()
    }

    @Test func aBrokerKilledMeanwhileHasEveryTaskOnce() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let submitting = Task {
            try await withThrowingTaskGroup(of: TaskID.self) { group in
                for number in 0..<600 {
                    group.addTask { try await client.enqueue(.init(number: number), as: Twice.self).id }
                }
                return try await group.reduce(into: Set<TaskID>()) { $0.insert($1) }
            }
        }
        _ = try await client.enqueue(.init(number: -1), as: Twice.self)
        try broker.crashAndRestart()
        #expect(try await submitting.value.count == 600)
        #expect(try await client.queueInfo("numbers").totalAdded == 601)
        await client.close()
    }
}
