/// Finds the end of one RESP2 reply and notes where its leaves are, without copying anything.
///
/// It keeps no state between calls: a reply that is not whole yet is scanned again from its start, which costs little
/// because bulk strings are stepped over by their length. The storage of `leaves` is reused.
package struct ReplyScanner {
    /// One value that is not an array: where its content lies.
    package struct Leaf: Hashable {
        /// The byte it starts with on the wire: `+ - : $`; `_` stands for a null, of an array too.
        package var kind: UInt8
        package var start: Int
        package var end: Int

        package var range: Range<Int> { start..<end }
    }

    package static let null = UInt8(ascii: "_")
    static let error = UInt8(ascii: "-")
    /// Longer headers and more elements than any server here sends.
    static let longestLine = 64 * 1024
    static let mostElements = 1_048_576

    package private(set) var leaves: [Leaf] = []

    package init() {}

    mutating func clear() { leaves.removeAll(keepingCapacity: true) }

    mutating func add(_ leaf: Leaf) { leaves.append(leaf) }

    /// The offset after the reply that starts at `start`; `nil`: not all of it is there. Throws on what is no RESP2.
    package mutating func scan(_ bytes: Span<UInt8>, from start: Int) throws(BenchError) -> Int? {
        leaves.removeAll(keepingCapacity: true)
        var position = start
        var missing = 1
        while missing > 0 {
            guard position < bytes.count else { return nil }
            let kind = bytes[position]
            guard let line = try lineEnd(bytes, from: position + 1) else { return nil }
            missing -= 1
            switch kind {
            case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"):
                leaves.append(Leaf(kind: kind, start: position + 1, end: line))
                position = line + 2
            case UInt8(ascii: "$"):
                guard let end = try bulk(bytes, position + 1..<line) else { return nil }
                position = end
            case UInt8(ascii: "*"):
                missing += try elements(bytes, position + 1..<line)
                position = line + 2
            default:
                throw BenchError("the server sent a reply that starts with byte \(kind)")
            }
        }
        return position
    }

    /// Where the line's CR stands; `nil`: it has not come yet.
    func lineEnd(_ bytes: Span<UInt8>, from start: Int) throws(BenchError) -> Int? {
        var position = start
        while position + 1 < bytes.count {
            if bytes[position] == 13 { return position }
            position += 1
        }
        guard position - start < Self.longestLine else { throw BenchError("the server sent an endless line") }
        return nil
    }

    /// Notes the bulk string whose length is `bytes[header]`; the offset after it, `nil` when it is not all there.
    private mutating func bulk(_ bytes: Span<UInt8>, _ header: Range<Int>) throws(BenchError) -> Int? {
        let start = header.upperBound + 2
        if isMinusOne(bytes, header) {
            leaves.append(Leaf(kind: Self.null, start: start, end: start))
            return start
        }
        guard let length = JobNumber.decimal(bytes, header), length <= 1 << 30 else {
            throw BenchError("the server sent a bulk string without a valid length")
        }
        guard start + length + 2 <= bytes.count else { return nil }
        leaves.append(Leaf(kind: UInt8(ascii: "$"), start: start, end: start + length))
        return start + length + 2
    }

    /// How many values follow the array header `bytes[header]`. A null array is one leaf.
    private mutating func elements(_ bytes: Span<UInt8>, _ header: Range<Int>) throws(BenchError) -> Int {
        if isMinusOne(bytes, header) {
            leaves.append(Leaf(kind: Self.null, start: header.upperBound, end: header.upperBound))
            return 0
        }
        guard let count = JobNumber.decimal(bytes, header), count <= Self.mostElements else {
            throw BenchError("the server sent an array without a valid length")
        }
        return count
    }

    private func isMinusOne(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        range.count == 2 && bytes[range.lowerBound] == UInt8(ascii: "-")
            && bytes[range.lowerBound + 1] == UInt8(ascii: "1")
    }
}
