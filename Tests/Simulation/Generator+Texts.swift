internal import MartletEngine
internal import MartletProtocol

/// What is done with plain keys.
extension Generator {
    /// More than are flushed at a time.
    static let textKeys =
        ["a", "b", "c", "d", "e", "f", "g", "h", "task:1"].map { Bytes($0.utf8) } + [Bytes(repeating: 6, count: 300)]
    /// Values that come again, for who sets a key that holds just that.
    private static let marks = [Bytes("mine".utf8), Bytes("yours".utf8)]

    mutating func text(_ now: Timestamp) -> MartletEngine.Operation {
        let key = random.pick(Self.textKeys)
        let lives: [TextLife] = [
            .forEver, .forEver, .forEver, .asBefore, .span(1), .span(40), .span(5_000), .until(now - 1),
            .until(now + 9),
        ]
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<55:
            let value = random.chance(50) ? random.pick(Self.marks) : bytes()
            var set = SetTextRequest(key: key, value: value, life: random.pick(lives))
            set.condition = random.pick([
                .always, .always, .ifAbsent, .ifPresent, .ifEqual(random.pick(Self.marks)),
            ])
            set.givesOld = random.chance(40)
            return .setText(set)
        case 55..<58: return .flushTexts
        case 58..<65: return .deleteTexts([key, random.pick(Self.textKeys)])
        default:
            let life = random.pick(lives.filter { $0 != .asBefore } + [.span(-5)])
            let condition: ExpireRequest.Condition = random.pick([.always, .ifNone, .ifSome, .ifLater, .ifEarlier])
            return .expireText(ExpireRequest(key: key, life: life, condition: condition))
        }
    }
}
