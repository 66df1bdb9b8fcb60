import MartletEngine
import MartletProtocol
import MartletStorage

/// Redis' reading commands on the reserved keys.
extension Broker {
    func inspect<A>(
        _ inspection: Inspection, _ output: inout ReplyWriter, _ engine: borrowing Engine, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws {
        let look = Look(now: now)
        switch inspection {
        case .info(let sections): output.verbatim(try information(sections, engine, now, transaction))
        case .type(let key):
            output.simple(try look.exists(key, engine, transaction) ? ReservedKey(key)?.type ?? "string" : "none")
        case .timeToLive(let key, let unit): output.integer(try look.timeToLive(key, unit, engine, transaction))
        case .textCount: output.integer(Int64(try engine.textCount(in: transaction)))
        case .memory(let key): try look.memory(key, engine, transaction).map { output.integer($0) } ?? output.null()
        case .stream(let look): try self.look(look, &output, engine, now, transaction)
        case .broker: try brokerInfo(&output, engine, now, transaction)
        case .exists(let keys):
            var count: Int64 = 0
            for key in keys where try look.exists(key, engine, transaction) { count += 1 }
            output.integer(count)
        case .hash(let key):
            let fields = try look.fields(key, engine, transaction)
            output.map(fields.count)
            for (name, value) in fields {
                output.bulk(name)
                output.bulk(value)
            }
        case .hashField(let key, let field):
            try look.field(key, field, engine, transaction).map { output.bulk($0) } ?? output.null()
        case .hashLength(let key): output.integer(Int64(try look.fields(key, engine, transaction).count))
        case .sorted(let key, let from, let to, let scores):
            let entries = try look.range(key, "zset", from, to, engine, transaction)
            output.entries(entries, withScores: scores)
        case .sortedCount(let key): output.integer(try look.count(key, "zset", engine, transaction))
        case .list(let key, let from, let to):
            output.entries(try look.range(key, "list", from, to, engine, transaction), withScores: false)
        case .listLength(let key): output.integer(try look.count(key, "list", engine, transaction))
        case .members(let key):
            let names = try look.queueNames(key, engine, transaction)
            output.set(names.count)
            for name in names { output.bulk(name) }
        case .memberCount(let key): output.integer(Int64(try look.queueNames(key, engine, transaction).count))
        case .string(let key):
            if ReservedKey(key) == nil {
                try engine.text(key, now: now, in: transaction).map { output.bulk($0.value) } ?? output.null()
            } else {
                try look.stateCount(key, engine, transaction).map { output.bulk(integer: $0) } ?? output.null()
            }
        case .keys(let pattern):
            let keys = try look.keys(pattern, engine, transaction)
            output.array(keys.count)
            for key in keys { output.bulk(key) }
        case .scan(let cursor, let pattern, let count, let type):
            let page = try look.scan(cursor, pattern, count, type, engine, transaction)
            output.array(2)
            output.bulk(page.next)
            output.array(page.keys.count)
            for key in page.keys { output.bulk(key) }
        }
    }
}

extension Glob {
    /// Reserved keys are shown only to those who ask for them.
    var isReserved: Bool { pattern.first == UInt8(ascii: "@") }
}

extension ReplyWriter {
    /// Ids; with scores RESP2 has them in between, RESP3 has pairs.
    fileprivate mutating func entries(_ entries: [ScoredTask], withScores: Bool) {
        array(withScores && version == .two ? entries.count * 2 : entries.count)
        for entry in entries {
            if withScores, version == .three { array(2) }
            bulk(entry.id)
            if withScores { double(Double(entry.score)) }
        }
    }
}
