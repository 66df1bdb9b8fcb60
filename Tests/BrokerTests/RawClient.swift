import Glibc
import MartletProtocol
import NIOCore

/// A blocking socket and nothing else, so that a test decides every byte and when it is read.
final class RawClient {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let descriptor: Int32
    private var buffer = ByteBuffer()
    private var parser = RESPValueParser()

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(description: "cannot connect: \(errno)") }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// No more is sent or read.
    func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func send(_ bytes: Bytes) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(description: "cannot send: \(errno)") }
            sent += count
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ words: [String]) throws { try send(Self.encode(words)) }

    static func encode(_ words: [String]) -> Bytes {
        Array("*\(words.count)\r\n".utf8) + words.flatMap { Array("$\($0.utf8.count)\r\n\($0)\r\n".utf8) }
    }

    /// The next reply; fails when the broker closes.
    func reply() throws -> RESPValue {
        while true {
            if let value = try parser.next(from: &buffer) { return value }
            guard try more() else { throw Failure(description: "the broker closed the connection") }
        }
    }

    /// Sends one command and waits for its reply.
    @discardableResult func call(_ words: String...) throws -> RESPValue {
        try send(words)
        return try reply()
    }

    /// Reads to the end: everything the broker says before it closes.
    func rest() throws -> String {
        while try more() {}
        return String(buffer: buffer)
    }

    private func more() throws -> Bool {
        var chunk = Bytes(repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        if count < 0, errno == ECONNRESET { return false }
        guard count >= 0 else { throw Failure(description: "nothing came for 20 s: \(errno)") }
        buffer.writeBytes(chunk[..<count])
        return count > 0
    }
}

extension RESPValue {
    /// Text, or an integer as text: what goes into the next command.
    var word: String { text ?? integer.map(String.init) ?? "" }

    /// The error line, if it is one.
    var errorLine: String? {
        if case .error(let line) = self { return "\(line)" }
        return nil
    }
}
