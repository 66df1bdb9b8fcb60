import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet top`: queues and workers, live.
struct TopCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch queues and workers live; q ends it.",
        discussion: "Without a terminal, or with --once or --json, it shows everything once and ends.")

    @Option(help: "How often it looks.")
    var interval = SpanArgument.second
    @Flag(help: "Show everything once, and end.")
    var once = false
    @OptionGroup var broker: BrokerOptions

    func run(_ door: Door) async throws(ToolError) {
        guard (100...3_600_000).contains(interval.milliseconds) else {
            throw .usage("--interval must be 100ms to 1h")
        }
        var frame = try await TopFrame.look(door, after: nil)
        if door.json { return print(frame.json.json) }
        guard Terminal.isThere, !once else {
            return print(frame.lines(columns: Terminal.width, rows: .max).joined(separator: "\n"))
        }
        let screen = Screen()
        while true {
            let (columns, rows) = Terminal.size
            screen.draw(frame.lines(columns: columns, rows: rows))
            switch screen.wait(milliseconds: Int32(interval.milliseconds)) {
            case .key(UInt8(ascii: "q")), .key(UInt8(ascii: "Q")), .key(3), .key(27), .stopped: return
            case .resized: continue
            case .key, .timeout: frame = try await TopFrame.look(door, after: frame)
            }
        }
    }
}

extension SpanArgument {
    fileprivate static let second = SpanArgument(milliseconds: 1_000)

    init(milliseconds: Int64) { self.milliseconds = milliseconds }
}
