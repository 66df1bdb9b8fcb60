import Glibc
import Synchronization

/// How far long work is: one line on the terminal, anew each second; nothing when standard error is no terminal.
final class ProgressLine: Sendable {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let last = Mutex<ContinuousClock.Instant?>(nil)
    private static let clearLine = "\r\u{1B}[K"

    /// Shows `text` unless something was shown less than a second ago.
    func show(_ text: @autoclosure () -> String) {
        guard isTerminal else { return }
        let isDue = last.withLock { last in
            let now = ContinuousClock.now
            guard last.map({ now - $0 >= .seconds(1) }) ?? true else { return false }
            last = now
            return true
        }
        if isDue { writeText("\(Self.clearLine)\(text())", to: STDERR_FILENO) }
    }

    func clear() {
        if isTerminal { writeText(Self.clearLine, to: STDERR_FILENO) }
    }

    /// `5000 of 10000 tasks (50 %), 2500 tasks/s, 3 s left`
    static func text(done: Int, of all: Int, unit: String, seconds: Double) -> String {
        let rate = Double(done) / max(seconds, 0.001)
        let left = rate > 0 && done < all ? ", \(Int(Double(all - done) / rate) + 1) s left" : ""
        return "\(done) of \(all) \(unit) (\(done * 100 / max(1, all)) %), \(Int(rate)) \(unit)/s\(left)"
    }
}

/// Writes `text` at once; a closed descriptor is nobody's loss.
func writeText(_ text: String, to descriptor: Int32) { writeBytes(Array(text.utf8), to: descriptor) }

/// Writes all of it, or as much as the other end takes.
func writeBytes(_ bytes: [UInt8], to descriptor: Int32) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 || errno == EINTR else { return }
        rest = rest.dropFirst(max(count, 0))
    }
}

/// Writes one line at once.
func writeLine(_ text: String, to descriptor: Int32) { writeText("\(text)\n", to: descriptor) }
