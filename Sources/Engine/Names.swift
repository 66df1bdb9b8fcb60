import MartletProtocol
import MartletStorage

/// What a name names; queues are counted apart, they have records of their own.
enum NameKind: UInt8 {
    case type = 1
}

/// Names and the numbers that stand for them in keys and records. In memory; loaded at start.
struct Names {
    private var numbers: [Bytes: UInt32] = [:]
    private var names: [Bytes] = []

    /// The number of a name; `nil` if it was never used.
    func number(_ name: Bytes) -> UInt32? { numbers[name] }

    /// The name behind a number, from 1.
    func name(_ number: UInt32) -> Bytes {
        number >= 1 && number <= names.count ? names[Int(number) - 1] : []
    }

    var count: Int { names.count }

    /// Gives a name the next number.
    mutating func add(_ name: Bytes) -> UInt32 {
        names.append(name)
        numbers[name] = UInt32(names.count)
        return UInt32(names.count)
    }

    /// Takes back the name that was added last.
    mutating func removeLast() {
        guard let name = names.popLast() else { return }
        numbers[name] = nil
    }

    /// `kind u8 │ number u32`
    static func key(_ kind: NameKind, _ number: UInt32) -> KeyBytes {
        var key = KeyBytes()
        key.append(kind.rawValue)
        key.append(number)
        return key
    }
}
