import Foundation
import MartletClient
import Testing

/// The broker as a whole: looked at, copied, checked and held.
@Suite(.timeLimit(.minutes(2)))
struct BrokerTests {
    @Test func aSnapshotIsServedAndHasWhatWasAnsweredBefore() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let before = try await client.enqueue(many: (0..<2_000).map { .init(number: $0) }, as: Twice.self)
        let place = broker.folder.appending(path: "copy")
        try await client.snapshot(to: place.path())
        let after = try await client.enqueue(.init(number: 1), as: Twice.self)
        let copy = try BrokerProcess(on: place)
        let other = MartletClient(copy.configuration)
        #expect(try await other.tasks().collect().map(\.id) == before.map(\.id))
        #expect(try await other.checkData().isSound)
        await #expect {
            try await other.task(after.id)
        } throws: {
            ($0 as? MartletError)?.code == .noTask
        }
        await other.close()
        await client.close()
    }

    @Test func aSnapshotIsPutOverNothingAndWaitedForPastTheTimeout() async throws {
        let broker = try BrokerProcess()
        var configuration = broker.configuration
        // No command is answered in no time.
        configuration.commandTimeout = .zero
        let client = MartletClient(configuration)
        try await client.snapshot(to: broker.folder.appending(path: "copy").path())
        #expect(try await client.checkData().isSound)
        await #expect {
            try await client.brokerInfo()
        } throws: {
            guard case .timedOut? = $0 as? MartletError else { return false }
            return true
        }
        for place in [broker.folder.appending(path: "copy").path(), "relative", "/proc/martlet"] {
            await #expect {
                try await client.snapshot(to: place)
            } throws: {
                ($0 as? MartletError)?.code == .error
            }
        }
        await client.close()
    }

    @Test func nothingIsChangedWhileItIsReadOnly() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let task = try await client.enqueue(.init(number: 1), as: Twice.self)
        #expect(try await client.brokerInfo().readOnlyReason == nil)
        try await client.setReadOnly(true)
        let details = try await client.brokerInfo()
        #expect(details.readOnlyReason != nil && details.pending == 1 && details.queues == 1 && details.pid > 1)
        #expect(details.durability == "always" && (1..<details.dataLimit).contains(details.dataSize))
        await #expect {
            try await client.enqueue(.init(number: 2), as: Twice.self)
        } throws: {
            ($0 as? MartletError)?.code == .readOnly
        }
        #expect(try await task.details().state == .pending)
        try await client.setReadOnly(false)
        try await task.cancel()
        await client.close()
    }
}
