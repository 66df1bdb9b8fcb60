internal import MartletEngine
internal import MartletProtocol

/// A plain key.
struct ModelText: Equatable {
    var value: Bytes
    var until: Timestamp?
}

extension Model {
    mutating func applyToText(_ operation: MartletEngine.Operation, _ now: Timestamp) -> Outcome {
        switch operation {
        case .setText(let request): set(request, now)
        case .deleteTexts(let keys): delete(keys)
        case .expireText(let request): expire(request, now)
        case .flushTexts: flush()
        default: preconditionFailure("not about a plain key")
        }
    }

    mutating func set(_ request: SetTextRequest, _ now: Timestamp) -> Outcome {
        let before = texts[request.key]
        let mayNot: Bool =
            switch request.condition {
            case .always: false
            case .ifAbsent: before != nil
            case .ifPresent: before == nil
            case .ifEqual(let value): before?.value != value
            }
        if !mayNot { keep(request.key, request.value, end(request.life, before, now), now) }
        if request.givesOld { return .bytes(before?.value) }
        return mayNot ? .bytes(nil) : .ok
    }

    mutating func delete(_ keys: [Bytes]) -> Outcome {
        var count: Int64 = 0
        for key in keys where texts.removeValue(forKey: key) != nil { count += 1 }
        return .count(count)
    }

    mutating func expire(_ request: ExpireRequest, _ now: Timestamp) -> Outcome {
        guard let before = texts[request.key] else { return .count(0) }
        let until = end(request.life, before, now)
        if until == nil, before.until == nil { return .count(0) }
        switch request.condition {
        case .ifNone where before.until != nil, .ifSome where before.until == nil: return .count(0)
        case .ifLater where until ?? .max <= before.until ?? .max: return .count(0)
        case .ifEarlier where until ?? .max >= before.until ?? .max: return .count(0)
        default: break
        }
        keep(request.key, before.value, until, now)
        return .count(1)
    }

    mutating func flush() -> Outcome {
        texts = [:]
        return .ok
    }

    private func end(_ life: TextLife, _ before: ModelText?, _ now: Timestamp) -> Timestamp? {
        switch life {
        case .forEver: nil
        case .asBefore: before?.until
        case .span(let span): now + span
        case .until(let at): at
        }
    }

    private mutating func keep(_ key: Bytes, _ value: Bytes, _ until: Timestamp?, _ now: Timestamp) {
        texts[key] = until.map { $0 > now } ?? true ? ModelText(value: value, until: until) : nil
    }
}
