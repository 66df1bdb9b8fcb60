import MartletClient
import Testing

/// The stream of events, against the real broker.
@Suite(.timeLimit(.minutes(1)))
struct EventTests {
    @Test func whatHappensIsToldInOrderAndGoesOnAfterACrash() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let before = try await client.newestEvent()
        #expect(before == .start)
        let first = try await client.enqueue(.init(number: 1), as: Twice.self)
        var events = client.events(after: before).makeAsyncIterator()
        let added = try #require(try await events.next())
        #expect(added.id == first.id && added.from == nil && added.to == .pending)
        #expect(added.queue == Twice.queue && added.type == Twice.type && added.at > 0)
        try await first.cancel()
        let ended = try #require(try await events.next())
        #expect(ended.from == .pending && ended.to == .cancelled && ended.sequence > added.sequence)
        try broker.crashAndRestart()
        let second = try await client.enqueue(.init(number: 2), as: Twice.self)
        #expect(try await events.next()?.id == second.id)
        var again = client.events(after: added.position).makeAsyncIterator()
        #expect(try await again.next()?.sequence == ended.sequence)
        #expect(try await again.next()?.id == second.id)
        await client.close()
    }

    @Test func aReaderThatWaitsMeanwhileGoesOnAfterACrash() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let start = try await client.newestEvent()
        let (waits, seen) = (Gate(), Seen<TaskID>())
        let reading = Task {
            for try await event in client.events(after: start) {
                seen.add(event.id)
                waits.open()
                if seen.all.count == 3 { break }
            }
        }
        var tasks = [try await client.enqueue(.init(number: 1), as: Twice.self).id]
        await waits.wait()
        for number in 2...3 {
            try broker.crashAndRestart()
            tasks.append(try await client.enqueue(.init(number: number), as: Twice.self).id)
        }
        try await reading.value
        #expect(seen.all == tasks)
        await client.close()
    }

    @Test func aReaderWaitsAndEndsWhenItIsCancelled() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let seen = Seen<TaskID>()
        let (told, start) = (Gate(), try await client.newestEvent())
        let reading = Task {
            for try await event in client.events(after: start) {
                seen.add(event.id)
                told.open()
            }
        }
        let task = try await client.enqueue(.init(number: 1), as: Twice.self)
        await told.wait()
        reading.cancel()
        await #expect {
            try await reading.value
        } throws: {
            if case .cancelled? = $0 as? MartletError { true } else { false }
        }
        #expect(seen.all == [task.id])
        await client.close()
    }

    @Test func manyEventsAreReadPageByPage() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let tasks = try await client.enqueue(many: (0..<1_200).map { .init(number: $0) }, as: Twice.self)
        var ids: [TaskID] = []
        for try await event in client.events(after: .start) {
            ids.append(event.id)
            if ids.count == tasks.count { break }
        }
        #expect(ids == tasks.map(\.id))
        await client.close()
    }
}
