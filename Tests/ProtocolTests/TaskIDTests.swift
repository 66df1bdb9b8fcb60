import MartletProtocol
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TaskIDTests {
    private let id = TaskID(sequence: 0x0199_d3a1_7c40_81f3, check: 0x1234_5678_9abc)

    @Test func `every beginning of an id leads to its sequence`() throws {
        let text = id.text
        for length in 0...text.count {
            let range = try #require(TaskID.sequences(prefix: text.prefix(length)))
            #expect(range.contains(id.sequence), "the first \(length)")
        }
        // What is left open after the sixteenth digit: the counter's lower four bits.
        let last = try #require(TaskID.sequences(prefix: text))
        #expect(last.upperBound - last.lowerBound == 15)
    }

    @Test(arguments: 1...18) func `an id with another beginning is left out`(length: Int) throws {
        let text = id.text
        let range = try #require(TaskID.sequences(prefix: text.prefix(length)))
        for other in [range.lowerBound &- 1, range.upperBound &+ 1] where other != 0 && other != .max {
            #expect(!TaskID(sequence: other, check: 0).text.starts(with: text.prefix(length)))
        }
        #expect(TaskID(sequence: range.lowerBound, check: 0).text.starts(with: text.prefix(length)))
        #expect(TaskID(sequence: range.upperBound, check: 0).text.starts(with: text.prefix(length)))
    }

    @Test(arguments: ["x", "0199d3a17", "0199d3a1-7c40-4", "0199d3a1-7c4-", "-"])
    func `no id begins so`(prefix: String) { #expect(TaskID.sequences(prefix: Array(prefix.utf8)) == nil) }
}
