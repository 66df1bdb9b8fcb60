import MartletStorage
import Testing

@Suite("Keys sort as their fields do")
struct KeyBytesTests {
    static let signed: [Int64] = [.min, .min + 1, -256, -1, 0, 1, 255, 256, 1 << 53, .max - 1, .max]
    static let small: [UInt8] = [0, 1, 127, 128, 255]

    @Test("bytes of (u8, i64, u32) compare as the fields, and the fields come back")
    func order() {
        var keys: [(fields: (UInt8, Int64, UInt32), key: KeyBytes)] = []
        for a in Self.small {
            for b in Self.signed {
                for c: UInt32 in [0, 1, .max] {
                    var key = KeyBytes()
                    key.append(a)
                    key.append(b)
                    key.append(c)
                    keys.append(((a, b, c), key))
                }
            }
        }
        for left in keys {
            var reader = left.key.reader
            #expect(reader.next(UInt8.self) == left.fields.0)
            #expect(reader.nextSigned() == left.fields.1)
            #expect(reader.next(UInt32.self) == left.fields.2)
            for right in keys {
                let less = left.fields < right.fields
                #expect((left.key < right.key) == less)
                #expect(left.key.bytes.lexicographicallyPrecedes(right.key.bytes) == less)
            }
        }
    }

    @Test("a shorter key comes before every key it begins")
    func prefixes() {
        var prefix = KeyBytes()
        prefix.append(UInt8(7))
        prefix.append(UInt8(255))
        var longer = prefix
        longer.append(UInt64.max)
        #expect(prefix < longer)
        #expect(longer.begins(with: prefix))
        #expect(!prefix.begins(with: longer))
    }
}
