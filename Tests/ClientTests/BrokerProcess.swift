import Foundation
import MartletClient

/// A real broker in a process of its own, on a free port and a temporary directory; killed when it is let go.
final class BrokerProcess {
    let port: Int
    /// Removed with it; its data are in there.
    let folder: URL
    private var process: Process

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "martlet-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        (process, port) = try Self.start(in: folder, port: 0)
    }

    /// A broker on the data that are in `folder`, which is its own from now on.
    init(on folder: URL) throws {
        self.folder = folder
        (process, port) = try Self.start(in: folder, port: 0)
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    var configuration: MartletConfiguration { MartletConfiguration(port: port) }

    /// kill -9, and a new one on the same directory and port.
    func crashAndRestart() throws {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        (process, _) = try Self.start(in: folder, port: port)
    }

    /// The `martlet` of the build these tests are part of.
    private static var executable: URL {
        get throws {
            let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            return URL(filePath: tests).deletingLastPathComponent().appending(path: "martlet")
        }
    }

    private static func start(in folder: URL, port: Int) throws -> (Process, Int) {
        let process = Process()
        let output = Pipe()
        process.executableURL = try executable
        process.arguments = [
            "serve", "--port", "\(port)", "--data", folder.path(), "--no-http", "--log-level", "error",
        ]
        process.standardOutput = output
        try process.run()
        var line = Data()
        while !line.contains(UInt8(ascii: "\n")) {
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw NotReady(said: String(decoding: line, as: UTF8.self)) }
            line += more
        }
        let text = String(decoding: line, as: UTF8.self)
        guard let address = text.firstRange(of: "resp ").map({ text[$0.upperBound...] }),
            let port = Int(address.prefix { $0 != "," }.split(separator: ":").last ?? "")
        else { throw NotReady(said: text) }
        return (process, port)
    }

    struct NotReady: Error {
        var said: String
    }
}
