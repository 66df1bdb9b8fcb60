import Foundation
import MartletStorage
import Testing

@Suite("The environment keeps what it committed and nothing else")
struct EnvironmentTests {
    @Test("a group whose body throws leaves no trace")
    func abort() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one")
        #expect(throws: StorageError.self) {
            try storage.write { (transaction) throws(StorageError) in
                try transaction.put(letters, numberKey(2)) { $0.bytes([50]) }
                try transaction.delete(letters, numberKey(1))
                throw StorageError(.failed, "planned")
            }
        }
        #expect(try storage.get(1) == "one")
        #expect(try storage.get(2) == nil)
    }

    @Test("a second opening says which process holds the directory")
    func busy() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        let error = #expect(throws: StorageError.self) { _ = try openStorage(directory) }
        #expect(error?.kind == .busy)
        #expect(error?.description.contains("process \(ProcessInfo.processInfo.processIdentifier)") == true)
        try storage.put(1, "still served")
    }

    @Test("the directory is the owner's alone, and so are its files")
    func permissions() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one")
        let files = FileManager.default
        let mode = { (path: String) in try files.attributesOfItem(atPath: path)[.posixPermissions] as? Int }
        #expect(try mode(storage.directory) == 0o700)
        for name in try files.contentsOfDirectory(atPath: storage.directory) {
            #expect(try mode(storage.directory + "/" + name) == 0o600, "\(name)")
        }
    }

    @Test("a full map refuses the group, keeps what was there, and takes smaller groups again")
    func fullMap() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory, .init(maxBytes: 1 << 20))
        try storage.put(1, "one")
        let error = #expect(throws: StorageError.self) {
            try storage.write { (transaction) throws(StorageError) in
                for number in 2..<5_000 as Range<UInt64> {
                    try transaction.put(letters, numberKey(number)) { $0.rest([UInt8](repeating: 1, count: 1_000)) }
                }
            }
        }
        #expect(error?.kind == .full)
        #expect(try storage.get(1) == "one")
        #expect(try storage.get(2) == nil)
        try storage.put(2, "two")
        #expect(try storage.get(2) == "two")
    }

    @Test("after a reason to stop, writes are refused with it and reads go on")
    func readOnly() throws {
        let directory = try TemporaryDirectory()
        let storage = try openStorage(directory)
        try storage.put(1, "one")
        storage.stopWriting(StorageError(.failed, code: 5, "cannot flush"))
        let error = #expect(throws: StorageError.self) { try storage.put(2, "two") }
        #expect(error?.description.contains("cannot flush") == true)
        #expect(try storage.get(1) == "one")
        #expect(try storage.get(2) == nil)
    }

    @Test("a planted failure of the n-th call gives the group up, wherever it falls", arguments: 1...6)
    func planted(call: Int) throws {
        let directory = try TemporaryDirectory()
        let faults = FaultInjector()
        let storage = try openStorage(directory, .init(faults: faults))
        try storage.put(1, "one")
        faults.failAt = call
        faults.code = 28
        let group = { () throws(StorageError) in
            try storage.write { (transaction) throws(StorageError) in
                for number in 2...5 as ClosedRange<UInt64> {
                    try transaction.put(letters, numberKey(number)) { $0.bytes([49]) }
                }
            }
        }
        if call <= 5 {
            let error = #expect(throws: StorageError.self) { try group() }
            #expect(error?.kind == .full)
            #expect(try storage.get(2) == nil)
        } else {
            try group()
        }
        #expect(try storage.get(1) == "one")
    }
}
