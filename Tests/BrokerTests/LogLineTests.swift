import Logging
import MartletBroker
import Testing

@Suite struct LogLineTests {
    private func line(_ message: String, _ fields: [(String, String)]) -> LogLine {
        LogLine(at: "2026-01-31T12:00:00.000Z", level: .warning, message: message, fields: fields)
    }

    @Test func `text is readable, and quoted where it must be`() {
        let text = line("dropped a client", [("address", "10.0.0.1:5"), ("reason", "it says \"no\"")])
            .written(as: .text)
        #expect(
            text == #"2026-01-31T12:00:00.000Z warning dropped a client address=10.0.0.1:5 reason="it says \"no\"""#)
    }

    @Test func `JSON is one object, and a field cannot stand in for the line's own`() {
        let text = line("m", [("level", "info"), ("x", "\u{1}\"\u{2028}")]).written(as: .json)
        #expect(
            text == #"{"at":"2026-01-31T12:00:00.000Z","level":"warning","message":"m","_level":"info","#
                + #""x":"\u0001\"\u2028"}"#)
    }

    @Test(arguments: LogFormat.allCases)
    func `nothing that is logged begins a line, moves a cursor or hides text`(format: LogFormat) {
        let hostile = "a\nb\r\u{1B}[2J\u{7F}\u{9B}\u{85}\u{2028}\u{202E}\u{0}"
        let written = line(hostile, [("k\n\u{1B}", hostile)]).written(as: format)
        for scalar in written.unicodeScalars {
            #expect(!(0..<0x20).contains(scalar.value) && !(0x7F..<0xA0).contains(scalar.value))
            #expect(scalar.value != 0x2028 && scalar.value != 0x202E)
        }
    }
}
