internal import MartletEngine
internal import MartletProtocol

/// What is asked of limits.
extension Generator {
    static let limits = ["api", "db"].map { Bytes($0.utf8) }

    mutating func limit(_ model: Model) -> MartletEngine.Operation {
        let name = random.chance(97) ? random.pick(Self.limits) : Bytes("none".utf8)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<12: return .limitSet(limitSet(name))
        case 12..<68: return .limitTake(take(name, model))
        case 68..<80:
            let held = model.limits[name]?.permits.keys.sorted() ?? []
            let permit = random.chance(85) ? held.randomElement(using: &random) : nil
            return .limitGive(LimitGiveRequest(name: name, permit: permit ?? 7, request: nonce()))
        case 80..<82: return .limitDelete(NameRequest(name: name, request: nonce()))
        case 82..<85: return .limitReset(NameRequest(name: name, request: nonce()))
        case 85..<95: return .limitInfo(name)
        default: return .limitList
        }
    }

    private mutating func limitSet(_ name: Bytes) -> LimitSetRequest {
        if name == Self.limits[1], random.chance(80) {
            return LimitSetRequest(name: name, kind: .slots(random.pick([1, 2, 5])), request: nonce())
        }
        let rate: Int64 = random.pick([1, 3, 7, 230])
        let kind = LimitSetRequest.Kind.tokens(
            rate: rate, per: random.pick([1, 10, 1_000, 10_000, 86_400_000]), burst: random.pick([1, 2, rate]))
        return LimitSetRequest(name: name, kind: kind, request: nonce())
    }

    /// Mostly of the kind the limit is.
    private mutating func take(_ name: Bytes, _ model: Model) -> LimitTakeRequest {
        var isOfSlots = random.chance(50)
        if case .slots? = model.limits[name]?.kind {
            isOfSlots = random.chance(95)
        } else {
            isOfSlots = random.chance(5)
        }
        return LimitTakeRequest(
            name: name, cost: random.pick([1, 1, 1, 2, 5]), hold: isOfSlots ? random.pick([1, 20, 500, 60_000]) : nil,
            block: random.pick([.no, .no, .upTo(0), .upTo(20), .upTo(2_000)]), request: nonce(), caller: newCaller())
    }

    /// What a task takes of limits: mostly of those that are there.
    mutating func taskLimits(_ model: Model) -> [LimitCost] {
        guard random.chance(45) else { return [] }
        let names = Self.limits.filter { name in
            guard case .tokens? = model.limits[name]?.kind else { return random.chance(2) }
            return random.chance(70)
        }
        return names.map { name in
            let cost = random.pick([1, 1, 2, 3, 7] as [Int64])
            let most = model.limits[name]?.most ?? cost
            return LimitCost(name: name, cost: random.chance(95) ? min(cost, most) : cost)
        }
    }

    static let breakers = ["mail", "pay"].map { Bytes($0.utf8) }

    /// Breakers that open soon and cool down soon.
    mutating func breaker() -> MartletEngine.Operation {
        let name = random.chance(97) ? random.pick(Self.breakers) : Bytes("none".utf8)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<20:
            let settings = BreakerSettings(
                fails: random.pick([1, 2, 4]), per: random.pick([1, 50, 60_000]), cool: random.pick([1, 30, 1_000]),
                probes: random.pick([1, 2, 3]), kinds: random.pick([[], [], [Bytes("net".utf8)]]))
            return .breakerSet(BreakerSetRequest(name: name, settings: settings, request: nonce()))
        case 20..<80:
            let verb = random.pick([.allow, .allow, .succeed, .succeed, .fail] + BreakerRequest.Verb.allCases)
            return .breaker(BreakerRequest(name: name, verb: verb, request: nonce()))
        case 80..<94: return .breakerInfo(name)
        default: return .breakerList
        }
    }
}
