import MartletEngine
import MartletProtocol
import MartletStorage

extension Broker {
    /// BROKER.INFO: the whole at a glance; INFO has the details.
    func brokerInfo<A>(
        _ output: inout ReplyWriter, _ engine: borrowing Engine, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws {
        let usage = store.usage
        output.map(13)
        output.field("version", text: Version.martlet)
        output.field("pid", Int64(ProcessFacts.identifier))
        output.field("now", now)
        output.field("uptime_ms", now - startedAt)
        output.field("durability", text: configuration.durability == .always ? "always" : "everysec")
        output.field("read_only", text: gate.readOnly)
        output.field("clients", Int64(connections.count))
        output.field("queues", Int64(engine.queueNames.count))
        output.field("workers", Int64(engine.workerCount))
        output.field("pending", try engine.count(of: .pending, now: now, in: transaction))
        output.field("active", try engine.count(of: .active, now: now, in: transaction))
        output.field("data_bytes", Int64(usage.used))
        output.field("data_limit_bytes", Int64(usage.capacity))
    }
}
