import MartletBench
import Testing

@Suite(.timeLimit(.minutes(1)))
struct BeanstalkTests {
    /// The leaves of each whole reply, as text with their kind in front, and how many bytes were used up.
    private func replies(_ text: String) throws -> (leaves: [[String]], used: Int) {
        let bytes = Array(text.utf8)
        var scanner = ReplyScanner()
        var (found, position): ([[String]], Int) = ([], 0)
        while position < bytes.count, let end = try scanner.scanBeanstalk(bytes.span, from: position) {
            found.append(
                scanner.leaves.map { leaf in
                    String(decoding: [leaf.kind] + leaf.range.map { bytes[$0] }, as: UTF8.self)
                })
            position = end
        }
        return (found, position)
    }

    @Test
    func aReservedJobHasItsIdAndItsBodyWhateverIsInIt() throws {
        let text = "INSERTED 7\r\nRESERVED 12 8\r\nab\r\ncd\r\n\r\nDELETED\r\nUSING q\r\nWATCHING 2\r\n"
        let (leaves, used) = try replies(text)
        #expect(leaves == [[], [":12", "$ab\r\ncd\r\n"], [], [], []])
        #expect(used == text.utf8.count)
    }

    @Test
    func whatIsNotAllThereWaits() throws {
        let text = "RESERVED 12 3\r\nabc\r\n"
        for length in 0..<text.utf8.count {
            let part = String(decoding: text.utf8.prefix(length), as: UTF8.self)
            #expect(try replies(part).used == 0)
        }
        #expect(try replies("INSERTED 1\r\nINSER").used == 12)
    }

    @Test(arguments: ["NOT_FOUND", "OUT_OF_MEMORY", "BURIED 3", "DEADLINE_SOON", "RESERVED x", ""])
    func whateverElseComesIsAnError(line: String) throws {
        #expect(try replies(line + "\r\n").leaves == [["-" + line]])
    }
}
