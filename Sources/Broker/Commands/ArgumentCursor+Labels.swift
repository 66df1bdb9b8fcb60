import MartletEngine
import MartletProtocol

/// TAGS, META and UNIQUE, whose keyword has just been passed.
extension ArgumentCursor {
    /// `n tag …`; a tag that is named twice counts once.
    mutating func tags() throws(CommandError) -> [Bytes] {
        try once(OptionNumber.tags)
        let count = try count("TAGS", in: Limits.tags)
        var tags: [Bytes] = []
        for _ in 0..<count {
            let tag = try name("tag")
            if !tags.contains(tag) { tags.append(tag) }
        }
        return tags
    }

    /// `n field value …`; of a field that is named twice the last value counts, as with HSET.
    mutating func meta() throws(CommandError) -> [MetaField] {
        try once(OptionNumber.meta)
        let count = try count("META", in: Limits.metaFields, each: 2)
        var fields: [MetaField] = []
        for _ in 0..<count {
            let field = MetaField(name: try name("META field"), value: try name("META value", in: 0...Limits.metaValue))
            if let index = fields.firstIndex(where: { $0.name == field.name }) {
                fields[index] = field
            } else {
                fields.append(field)
            }
        }
        return fields
    }

    /// `name [COST c]`; more than one may be named, each once.
    mutating func limit(_ limits: inout [LimitCost]) throws(CommandError) {
        var limit = LimitCost(name: try name("LIMIT"))
        if skip(.cost) { limit.cost = try integer("COST", in: Limits.limitRate) }
        guard !limits.contains(where: { $0.name == limit.name }) else {
            let name = String(decoding: limit.name, as: UTF8.self)
            throw CommandError(.error, "LIMIT '\(name)' is named twice; say its COST once")
        }
        limits.append(limit)
        guard !Limits.taskLimits.contains(limits.count) else { return }
        throw CommandError(.error, "a task names at most \(Limits.taskLimits.upperBound) limits")
    }

    /// `n id … [ONDEAD WAIT|CANCEL|RUN]`
    mutating func dependencies() throws(CommandError) -> Dependencies {
        try once(OptionNumber.dependencies)
        let count = try count("AFTER", in: Limits.dependencies)
        var dependencies = Dependencies([])
        for _ in 0..<count { dependencies.ids.append(try taskID()) }
        guard skip(.onDead) else { return dependencies }
        if skip(.wait) {
            dependencies.onDead = .wait
        } else if skip(.cancel) {
            dependencies.onDead = .cancel
        } else if skip(.run) {
            dependencies.onDead = .run
        } else {
            _ = option()
            throw syntaxError()
        }
        return dependencies
    }

    /// The id of a batch; which ids there are, the engine knows.
    mutating func batch() throws(CommandError) -> Bytes {
        try once(OptionNumber.batch)
        return try name("BATCH")
    }

    /// `key [FOR ms] [UNTIL START|DONE|EXPIRE] [ON SKIP|REPLACE|ERROR]`, the three in any order.
    mutating func unique() throws(CommandError) -> (UniqueKey, UniqueConflict) {
        try once(OptionNumber.unique)
        var unique = UniqueKey(try name("UNIQUE"))
        var conflict: UniqueConflict?
        var until: UniqueKey.Until?
        while true {
            if skip(.for) {
                guard unique.span == nil else { throw syntaxError() }
                unique.span = try duration("FOR", atLeast: 1)
            } else if skip(.until) {
                guard until == nil else { throw syntaxError() }
                until = try self.until()
            } else if skip(.on) {
                guard conflict == nil else { throw syntaxError() }
                conflict = try self.conflict()
            } else {
                unique.until = until ?? .done
                return (unique, conflict ?? .skip)
            }
        }
    }

    private mutating func until() throws(CommandError) -> UniqueKey.Until {
        if skip(.start) { return .start }
        if skip(.done) { return .done }
        if skip(.expire) { return .expire }
        _ = option()
        throw syntaxError()
    }

    private mutating func conflict() throws(CommandError) -> UniqueConflict {
        if skip(.skip) { return .skip }
        if skip(.replace) { return .replace }
        if skip(.error) { return .error }
        _ = option()
        throw syntaxError()
    }
}
