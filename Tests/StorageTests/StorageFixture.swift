import Foundation
import MartletStorage

/// A directory of its own for a test, gone when the test is over.
final class TemporaryDirectory {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/martlet-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

let letters = Table(index: 0, name: "letters")
let kept = Table(index: 1, name: "kept")

func openStorage(_ directory: TemporaryDirectory, _ options: EnvironmentOptions = .init()) throws -> Environment {
    try Environment(directory: directory.path + "/data", tables: [letters, kept], options: options)
}

func numberKey(_ number: UInt64) -> KeyBytes {
    var key = KeyBytes()
    key.append(number)
    return key
}

extension Environment {
    func put(_ number: UInt64, _ text: String, flushed: Bool = true) throws(StorageError) {
        try write(flushed: { flushed }) { (transaction) throws(StorageError) in
            try transaction.put(letters, numberKey(number)) { $0.bytes(Array(text.utf8)) }
        }
    }

    func remove(_ number: UInt64) throws(StorageError) {
        _ = try write { (transaction) throws(StorageError) in try transaction.delete(letters, numberKey(number)) }
    }

    func get(_ number: UInt64) throws(StorageError) -> String? {
        try read { (transaction) throws(StorageError) in
            try transaction.read(letters, numberKey(number)) { String(decoding: $0.bytes(), as: UTF8.self) }
        }
    }
}
