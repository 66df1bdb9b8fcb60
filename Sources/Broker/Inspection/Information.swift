import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore

/// INFO: sections of `name:value` lines, in the order of Redis.
extension Broker {
    private static let sections = [
        "server", "clients", "memory", "persistence", "stats", "replication", "cpu", "cluster", "keyspace", "tasks",
        "queues", "breakers", "storage",
    ]
    /// Queues that INFO lists; all are in QUEUE.LIST.
    private static let listedQueues = 1_000

    func information<A>(
        _ asked: [String], _ engine: borrowing Engine, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws -> String {
        let everything = asked.isEmpty || !Set(asked).isDisjoint(with: ["all", "default", "everything"])
        let queues = try Look(now: now).allQueues(engine, transaction)
        let breakers = engine.breakerViews(now)
        let keys = try engine.textCount(in: transaction)
        var text = ""
        for section in Self.sections where everything || asked.contains(section) {
            if !text.isEmpty { text += "\r\n" }
            text += "# \(section.prefix(1).uppercased())\(section.dropFirst())\r\n"
            for (name, value) in lines(section, queues, breakers, keys, now) { text += "\(name):\(value)\r\n" }
        }
        return text
    }

    private func lines(
        _ section: String, _ queues: [QueueView], _ breakers: [BreakerView], _ keys: Int, _ now: Timestamp
    ) -> [(String, String)] {
        switch section {
        case "server": server(now)
        case "clients": clients
        case "memory": memory
        case "persistence": persistence
        case "stats": stats
        case "replication": [("role", "master"), ("connected_slaves", "0")]
        case "cpu": cpu
        case "tasks": tasks(queues)
        case "queues": queues.prefix(Self.listedQueues).map { ("queue_\(Self.name($0.name))", Self.line($0)) }
        case "breakers":
            breakers.map { ("breaker_\(Self.name($0.name))", "state=\($0.phase.name),failures=\($0.failures)") }
        case "storage": storage
        case "cluster": [("cluster_enabled", "0")]
        // The reserved keys do not count.
        default: keys == 0 ? [] : [("db0", "keys=\(keys)")]
        }
    }

    private func server(_ now: Timestamp) -> [(String, String)] {
        let uptime = (now - startedAt) / 1_000
        return [
            ("redis_version", Version.redis), ("martlet_version", Version.martlet), ("redis_mode", "standalone"),
            ("os", ProcessFacts.operatingSystem), ("arch_bits", "\(Int.bitWidth)"),
            ("process_id", "\(ProcessFacts.identifier)"), ("tcp_port", "\(listener?.localAddress?.port ?? 0)"),
            ("server_time_usec", "\(clock.microseconds)"), ("uptime_in_seconds", "\(uptime)"),
            ("uptime_in_days", "\(uptime / 86_400)"),
        ]
    }

    private var clients: [(String, String)] {
        [
            ("connected_clients", "\(connections.count)"), ("maxclients", "\(configuration.maxClients)"),
            ("blocked_clients", "\(connections.values.count { $0.blocked != nil })"),
            ("client_input_bytes", "\(totalInbound)"),
            ("client_output_bytes", "\(connections.values.reduce(0) { $0 + $1.outstanding })"),
        ]
    }

    private var memory: [(String, String)] {
        let (now, most) = (ProcessFacts.residentBytes, ProcessFacts.mostResidentBytes)
        let named = [("used_memory", now), ("used_memory_rss", now), ("used_memory_peak", most), ("maxmemory", 0)]
        return named.flatMap { [($0, "\($1)"), ("\($0)_human", Self.human($1))] }
            + [("maxmemory_policy", "noeviction"), ("mem_fragmentation_ratio", "1.00")]
    }

    private var persistence: [(String, String)] {
        [
            ("loading", "0"), ("aof_enabled", "1"), ("aof_last_write_status", gate.failure == nil ? "ok" : "err"),
            ("durability", configuration.durability == .always ? "always" : "everysec"),
            ("read_only", gate.readOnly == nil ? "0" : "1"),
        ]
    }

    private var stats: [(String, String)] {
        [
            ("total_connections_received", "\(statistics.connections)"),
            ("total_commands_processed", "\(statistics.commands)"),
            ("total_net_input_bytes", "\(statistics.inputBytes)"),
            ("total_net_output_bytes", "\(statistics.outputBytes)"),
            ("rejected_connections", "\(statistics.rejectedConnections)"),
            ("total_error_replies", "\(statistics.refused)"), ("protocol_errors", "\(statistics.protocolErrors)"),
            ("dropped_clients", "\(statistics.dropped)"), ("idle_clients_closed", "\(statistics.idled)"),
            ("total_commits", "\(statistics.commits)"),
            ("acl_access_denied_auth", "\(statistics.authenticationFailures)"),
            ("pubsub_channels", "\(hub.channels(matching: nil).count)"), ("pubsub_patterns", "\(hub.patternCount)"),
            ("evicted_keys", "0"),
        ]
    }

    private var cpu: [(String, String)] {
        let (user, system) = ProcessFacts.cpuMicroseconds
        return [("used_cpu_sys", Self.seconds(system)), ("used_cpu_user", Self.seconds(user))]
    }

    private func tasks(_ queues: [QueueView]) -> [(String, String)] {
        var lines = [("queues", "\(queues.count)")]
        for state in TaskState.allCases {
            lines.append((state.name.lowercased(), "\(queues.reduce(0) { $0 + $1.count(of: state) })"))
        }
        lines.append(("total_added", "\(queues.reduce(0) { $0 + $1.totalAdded })"))
        lines.append(("total_completed", "\(queues.reduce(0) { $0 + $1.totalCompleted })"))
        lines.append(("total_failed", "\(queues.reduce(0) { $0 + $1.totalFailed })"))
        return lines
    }

    private var storage: [(String, String)] {
        let usage = store.usage
        let damaged = store.withEngine { $0.damaged }
        return [
            ("data_bytes", "\(usage.used)"), ("data_limit_bytes", "\(usage.capacity)"),
            ("read_only_reason", gate.readOnly ?? ""), ("damaged_tasks", "\(damaged.count)"),
            ("damaged_newest", damaged.newest ?? ""),
        ]
    }

    /// A name as it may stand before a colon.
    private static func name(_ name: Bytes) -> String {
        String(Request.printable(name).map { $0 == ":" || $0 == " " ? "_" : $0 })
    }

    private static func line(_ queue: QueueView) -> String {
        "pending=\(queue.pending),scheduled=\(queue.scheduled),active=\(queue.active),blocked=\(queue.blocked)"
            + ",dlq=\(queue.dead),completed=\(queue.completed),cancelled=\(queue.cancelled)"
            + ",expired=\(queue.expired),workers=\(queue.workers)"
    }

    /// Bytes as Redis shows them to people.
    private static func human(_ bytes: Int) -> String {
        var (value, unit, larger) = (Double(bytes) / 1024, "K", ["M", "G", "T"][...])
        guard bytes >= 1024 else { return "\(bytes)B" }
        while value >= 1024, let next = larger.popFirst() { (value, unit) = (value / 1024, next) }
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(String(hundredths % 100 + 100).dropFirst())\(unit)"
    }

    /// Microseconds as seconds with six digits.
    private static func seconds(_ microseconds: Int64) -> String {
        let fraction = String(microseconds % 1_000_000 + 1_000_000).dropFirst()
        return "\(microseconds / 1_000_000).\(fraction)"
    }
}
