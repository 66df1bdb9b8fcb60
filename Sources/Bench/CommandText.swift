/// Builds the bytes of RESP commands once, before the run.
struct CommandText {
    private(set) var bytes: [UInt8] = []

    /// A whole command.
    static func of(_ arguments: [String]) -> [UInt8] {
        var text = CommandText()
        text.begin(arguments.count)
        text.bulks(arguments)
        return text.bytes
    }

    /// A command of `count` arguments begins.
    mutating func begin(_ count: Int) { raw("*\(count)\r\n") }

    mutating func bulk(_ text: String) {
        raw("$\(text.utf8.count)\r\n\(text)\r\n")
    }

    /// The header of a bulk string of `length` bytes that follow later.
    mutating func header(_ length: Int) { raw("$\(length)\r\n") }

    mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    mutating func bulks(_ texts: [String]) {
        for text in texts { bulk(text) }
    }
}

/// What fills a payload after its number: letters and digits in no order, the same for every job.
func payloadFiller(_ length: Int) -> String {
    let alphabet = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_".utf8)
    var state: UInt64 = 0x2545_F491_4F6C_DD1D
    var bytes: [UInt8] = []
    bytes.reserveCapacity(length)
    for _ in 0..<length {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        bytes.append(alphabet[Int(state >> 58)])
    }
    return String(decoding: bytes, as: UTF8.self)
}
