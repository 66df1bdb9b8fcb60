import Foundation
import MartletStorage
import Testing

@Suite("Records are checked, and damage is named")
struct RecordTests {
    @Test("a flipped byte in the file is reported as damage of that record, and others are served")
    func damage() throws {
        let directory = try TemporaryDirectory()
        let marker = String(repeating: "needle", count: 20)
        do {
            let storage = try openStorage(directory)
            try storage.put(1, "one")
            try storage.put(2, marker)
            storage.close()
        }
        let file = URL(fileURLWithPath: directory.path + "/data/data.mdb")
        var bytes = try Data(contentsOf: file)
        var found = bytes.range(of: Data(marker.utf8))
        var flipped = 0
        while let range = found {
            bytes[range.lowerBound] ^= 1
            flipped += 1
            found = bytes.range(of: Data(marker.utf8))
        }
        #expect(flipped > 0)
        try bytes.write(to: file)

        let storage = try openStorage(directory)
        let error = #expect(throws: StorageError.self) { _ = try storage.get(2) }
        #expect(error?.kind == .damaged)
        #expect(error?.table == letters)
        #expect(error?.key == numberKey(2))
        #expect(error?.description == "record 0000000000000002 of table letters is damaged")
        #expect(try storage.get(1) == "one")
        for isThere in [true, false] {
            let isMoved = try storage.write { (transaction) throws(StorageError) in
                try transaction.quarantine(letters, numberKey(2), in: kept)
            }
            #expect(isMoved == isThere)
        }
        #expect(try storage.get(2) == nil)
        #expect(try storage.read { (transaction) throws(StorageError) in try transaction.count(kept) } == 1)
    }

    @Test("a record that is read past its end is damaged, not a crash")
    func short() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one")
        let error = #expect(throws: StorageError.self) {
            try storage.read { (transaction) throws(StorageError) in
                _ = try transaction.read(letters, numberKey(1)) { ($0.uint64(), $0.uint64(), $0.bytes()) }
            }
        }
        #expect(error?.kind == .damaged)
    }

    @Test("fields come back as they were written")
    func fields() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.write { (transaction) throws(StorageError) in
            try transaction.put(letters, numberKey(1), version: 9) {
                $0.uint8(.max)
                $0.uint16(.max - 1)
                $0.uint32(.max - 2)
                $0.int64(.min)
                $0.bytes([])
                $0.bytes([0, 255])
                $0.rest([1, 2, 3])
            }
        }
        let same = try storage.read { (transaction) throws(StorageError) in
            try transaction.read(letters, numberKey(1)) {
                $0.version == 9 && $0.uint8() == .max && $0.uint16() == .max - 1 && $0.uint32() == .max - 2
                    && $0.int64() == .min && $0.bytes() == [] && $0.bytes() == [0, 255] && $0.rest() == [1, 2, 3]
            }
        }
        #expect(same == true)
    }

    @Test("bodies compress where it pays and come back the same", arguments: [4_095, 4_096, 100_000, 1_048_577])
    func deflate(size: Int) {
        let text = (0..<size).map { UInt8($0 / 7 % 60 + 32) }
        let packed = Deflate.compress(text)
        #expect((packed != nil) == Deflate.range.contains(size))
        if let packed {
            #expect(packed.count < size / 2)
            #expect(Deflate.expand(packed, size: size) == text)
            #expect(Deflate.expand(packed, size: size + 1) == nil)
            #expect(Deflate.expand(Array(packed.dropLast()), size: size) == nil)
        }
        var state: UInt64 = 7
        let noise = (0..<size).map { _ in
            state = StableHash.mix(state, 1)
            return UInt8(truncatingIfNeeded: state)
        }
        #expect(Deflate.compress(noise) == nil)
    }
}
