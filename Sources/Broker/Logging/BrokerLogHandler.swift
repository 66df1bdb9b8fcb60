import FoundationEssentials
import Glibc
public import Logging

/// How log lines look.
public enum LogFormat: String, CaseIterable, Sendable {
    /// `2026-01-31T12:00:00.000Z warning dropped a client address=10.0.0.1:5 reason="…"`
    case text
    /// One JSON object a line: `{"at":"…","level":"warning","message":"dropped a client","address":"…"}`
    case json
}

/// Writes each log line to standard error with one call. What clients sent is escaped: one line stays one line.
public struct BrokerLogHandler: LogHandler {
    public var logLevel = Logger.Level.info
    public var metadata: Logger.Metadata = [:]
    private let format: LogFormat

    public init(_ format: LogFormat) { self.format = format }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let fields = event.metadata.map { metadata.merging($0) { _, own in own } } ?? metadata
        let line = LogLine(
            at: Date().ISO8601Format(.init(includingFractionalSeconds: true)), level: event.level,
            message: "\(event.message)", fields: fields.map { ($0, "\($1)") }.sorted { $0.0 < $1.0 })
        let bytes = Array("\(line.written(as: format))\n".utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// One line of the log.
package struct LogLine {
    var at: String
    var level: Logger.Level
    var message: String
    var fields: [(name: String, value: String)]

    /// - Parameter at: the time, as it is to stand in the line.
    package init(at: String, level: Logger.Level, message: String, fields: [(String, String)]) {
        (self.at, self.level, self.message) = (at, level, message)
        self.fields = fields.map { ($0.0, $0.1) }
    }

    /// Without a line end.
    package func written(as format: LogFormat) -> String {
        switch format {
        case .text:
            let pairs = fields.map { " \(LogText.escaped($0.name))=\(LogText.value($0.value))" }
            return "\(at) \(level) \(LogText.escaped(message))\(pairs.joined())"
        case .json:
            let own = [("at", at), ("level", level.rawValue), ("message", message)]
            let names = Set(own.map(\.0))
            let pairs = (own + fields.map { (names.contains($0.name) ? "_\($0.name)" : $0.name, $0.value) })
                .map { "\(LogText.json($0.0)):\(LogText.json($0.1))" }
            return "{\(pairs.joined(separator: ","))}"
        }
    }
}
