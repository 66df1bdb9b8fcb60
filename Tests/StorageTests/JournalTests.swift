import Foundation
import MartletStorage
import Testing

@Suite("A group in the journal is as durable as one that LMDB committed")
struct JournalTests {
    @Test(
        "what a crash leaves in the journal is there at the next opening, settled or not",
        arguments: [(0, 19), (3, 14), (7, 6), (10, 0)])
    func crash(settledAfter: UInt64, unsettled: Int) throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        for number in 1...10 as ClosedRange<UInt64> {
            try storage.put(number, "\(number)")
            if number > 1 { try storage.remove(number - 1) }
            if number == settledAfter { try storage.settle() }
        }
        #expect(storage.unsettledGroups == unsettled)
        storage.abandon()
        let again = try openStorage(directory)
        #expect(try (1...9).allSatisfy { try again.get($0) == nil })
        #expect(try again.get(10) == "10")
        #expect(again.unsettledGroups == 0)
    }

    @Test("reads see the groups that only the journal holds")
    func reads() throws {
        let storage = try openStorage(try TemporaryDirectory())
        try storage.put(1, "one")
        #expect(storage.unsettledGroups == 1)
        #expect(try storage.get(1) == "one")
    }

    @Test("a torn entry ends what is read: the groups before it are there, it and those behind it are not")
    func torn() throws {
        for position in stride(from: 0, to: 96, by: 5) {
            let directory = try TemporaryDirectory()
            let storage = try openStorage(directory)
            try storage.put(1, "one")
            let start = try Data(contentsOf: journal(directory)).prefix(4_096).lastIndex { $0 != 0 }!
            let second = UInt64((start + 8) & ~7)
            try storage.put(2, String(repeating: "2", count: 100))
            try storage.put(3, "three")
            storage.abandon()
            try flip(journal(directory), at: second + UInt64(position))
            let again = try openStorage(directory)
            #expect(try again.get(1) == "one")
            #expect(try again.get(2) == nil, "byte \(position)")
            #expect(try again.get(3) == nil)
            try again.put(2, "again")
            again.abandon()
            #expect(try openStorage(directory).get(2) == "again")
        }
    }

    @Test("a group that is given up takes none of those before it along", arguments: [false, true])
    func givenUp(settled: Bool) throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one")
        if settled { try storage.settle() }
        try storage.put(2, "two")
        #expect(throws: StorageError.self) {
            try storage.write { (transaction) throws(StorageError) in
                try transaction.delete(letters, numberKey(2))
                try transaction.put(letters, numberKey(3)) { $0.bytes([51]) }
                throw StorageError(.failed, "planned")
            }
        }
        #expect(try storage.get(2) == "two")
        #expect(try storage.get(3) == nil)
        try storage.put(4, "four")
        storage.abandon()
        let again = try openStorage(directory)
        #expect(try [1, 2, 3, 4].map { try again.get($0) } == ["one", "two", nil, "four"])
    }

    @Test("a group that the journal has no room for is committed with all before it")
    func full() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory, .init(journalBytes: 4_096))
        try storage.put(1, "one")
        try storage.put(2, String(repeating: "2", count: 5_000))
        #expect(storage.unsettledGroups == 0)
        for number in 3...200 as ClosedRange<UInt64> { try storage.put(number, "\(number)") }
        storage.abandon()
        let again = try openStorage(directory, .init(journalBytes: 4_096))
        #expect(try (3...200).allSatisfy { try again.get($0) == "\($0)" })
        #expect(try again.get(2)?.count == 5_000)
    }

    @Test("without a journal every group is a commit, and one that was there is emptied and removed")
    func none() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one")
        storage.abandon()
        let without = try openStorage(directory, .init(journalBytes: 0))
        #expect(try without.get(1) == "one")
        #expect(!FileManager.default.fileExists(atPath: journal(directory).path))
        try without.put(2, "two")
        #expect(without.unsettledGroups == 0)
        without.abandon()
        #expect(try openStorage(directory).get(2) == "two")
    }

    @Test("flushed each second, a group survives the process before its flush, and says that it is unflushed")
    func everySecond() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory, .init(durability: .everySecond))
        try storage.put(1, "one")
        #expect(storage.isUnflushed)
        try storage.flush()
        #expect(!storage.isUnflushed)
        try storage.put(2, "two")
        storage.abandon()
        #expect(try openStorage(directory).get(2) == "two")
    }

    @Test("after a reason to stop, what only the journal holds can still be read, and is there afterwards")
    func stopped() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one")
        try storage.settle()
        try storage.put(2, "two")
        storage.stopWriting(StorageError(.failed, code: 5, "cannot flush"))
        #expect(throws: StorageError.self) { try storage.put(3, "three") }
        #expect(try storage.get(1) == "one")
        #expect(try storage.get(2) == "two")
        storage.abandon()
        #expect(try openStorage(directory).get(2) == "two")
    }

    @Test("a flush beside covers the groups before it, and none that came later")
    func flushBeside() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one", flushed: false)
        let flush = try #require(storage.beginFlush())
        try storage.put(2, "two", flushed: false)
        try storage.endFlush(flush, flush.run())
        #expect(storage.isUnflushed)
        let next = try #require(storage.beginFlush())
        try storage.endFlush(next, next.run())
        #expect(!storage.isUnflushed)
        #expect(storage.beginFlush() == nil)
    }

    @Test("a flush beside that fails takes its groups with it and all later ones", arguments: [false, true])
    func failedFlushBeside(settled: Bool) throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one")
        if settled { try storage.settle() }
        try storage.put(2, "two", flushed: false)
        let flush = try #require(storage.beginFlush())
        try storage.put(3, "three", flushed: false)
        #expect(throws: StorageError.self) { try storage.endFlush(flush, EIO) }
        #expect(storage.readOnlyReason != nil)
        #expect(try [1, 2, 3].map { try storage.get($0) } == ["one", nil, nil])
        storage.abandon()
        #expect(try [1, 2, 3].map { try openStorage(directory).get($0) } == ["one", nil, nil])
    }

    @Test("what LMDB committed while a flush ran stands, whatever became of the flush", arguments: [0, EIO])
    func commitBesideAFlush(code: Int32) throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one", flushed: false)
        let flush = try #require(storage.beginFlush())
        try storage.settle()
        try storage.put(2, "two", flushed: false)
        if code == 0 {
            try storage.endFlush(flush, 0)
        } else {
            #expect(throws: StorageError.self) { try storage.endFlush(flush, code) }
        }
        #expect(storage.isUnflushed == (code == 0))
        #expect(try storage.get(1) == "one")
        #expect(try storage.get(2) == (code == 0 ? "two" : nil))
    }

    private func journal(_ directory: TemporaryDirectory) -> URL {
        URL(filePath: directory.path + "/data/journal")
    }

    private func flip(_ file: URL, at offset: UInt64) throws {
        let handle = try FileHandle(forUpdating: file)
        defer { try? handle.close() }
        try handle.seek(toOffset: offset)
        let byte = try #require(try handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: Data([byte ^ 0x55]))
    }
}
