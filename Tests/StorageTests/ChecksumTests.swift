import CChecksum
import Testing

@Suite("CRC-32C")
struct ChecksumTests {
    /// RFC 3720, appendix B.4, and the check value of the polynomial.
    static let known: [([UInt8], UInt32)] = [
        ([], 0),
        (Array("123456789".utf8), 0xE306_9283),
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        (Array(0..<32), 0x46DD_794E),
        (Array((0..<32).reversed()), 0x113F_DB5C),
    ]

    @Test(arguments: known)
    func theKnownValues(_ bytes: [UInt8], _ sum: UInt32) {
        #expect(crc32c(0, bytes, bytes.count) == sum)
        #expect(crc32c_by_table(0, bytes, bytes.count) == sum)
    }

    @Test("with and without the instruction, in one piece and in two, it is the same")
    func pieces() {
        let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 167 ^ $0 >> 3) }
        let whole = crc32c_by_table(0, bytes, bytes.count)
        for cut in [0, 1, 7, 8, 9, 63, 500, 999, 1_000] {
            let (first, second) = (Array(bytes[..<cut]), Array(bytes[cut...]))
            #expect(crc32c(crc32c(0, first, first.count), second, second.count) == whole)
        }
    }
}
