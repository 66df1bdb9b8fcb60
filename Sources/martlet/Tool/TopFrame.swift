import MartletProtocol

/// One look at a broker, and what it tells beside the look before.
struct TopFrame {
    private let at = ContinuousClock.now
    private let place: String
    private let information: Information
    private let queues: [RESPValue]
    private let workers: [RESPValue]
    /// By queue: added and completed per second, attempts failed per second; since the look before, or, at the first
    /// look, over the broker's last minute.
    private var rates: [String: (added: Double, completed: Double, failed: Double)] = [:]

    static func look(_ door: Door, after before: TopFrame?) async throws(ToolError) -> TopFrame {
        let information = Information(try await door.call("INFO").text ?? "")
        let queues = try await door.call("QUEUE.LIST").elements ?? []
        let workers = try await door.optional("WORKER.LIST")?.elements ?? []
        var frame = TopFrame(place: door.place, information: information, queues: queues, workers: workers)
        if let before { frame.compare(with: before) }
        return frame
    }

    private init(place: String, information: Information, queues: [RESPValue], workers: [RESPValue]) {
        (self.place, self.information, self.queues, self.workers) = (place, information, queues, workers)
        for queue in queues {
            let told = ["in_rate", "out_rate", "fail_rate"].compactMap { name -> Double? in
                if case .double(let rate)? = queue[name] { rate } else { nil }
            }
            if told.count == 3 { rates[queue["name"]?.text ?? ""] = (told[0], told[1], told[2]) }
        }
    }

    private mutating func compare(with before: TopFrame) {
        let seconds = max((at - before.at) / .seconds(1), 0.001)
        for queue in queues {
            let name = queue["name"]?.text ?? ""
            guard let old = before.queues.first(where: { $0["name"]?.text == name }) else { continue }
            func rate(_ field: String) -> Double {
                Double((queue[field]?.integer ?? 0) - (old[field]?.integer ?? 0)) / seconds
            }
            rates[name] = (rate("total_added"), rate("total_completed"), rate("total_failed"))
        }
    }

    var json: RESPValue {
        .map([
            RESPField(.simple("info"), information.json), RESPField(.simple("queues"), .array(queues)),
            RESPField(.simple("workers"), .array(workers)),
        ])
    }

    /// Everything in so many columns and rows: the busiest queues first, then workers.
    func lines(columns: Int, rows: Int) -> [String] {
        let sorted = queues.sorted { activity($0) > activity($1) }
        let workerRows = workers.isEmpty ? 0 : min(workers.count, max(3, rows / 3)) + 2
        let room = rows == .max ? sorted.count : max(1, rows - 5 - workerRows)
        var lines = heading
        lines += [""] + queueTable(Array(sorted.prefix(room))).lines(width: columns)
        if sorted.count > room { lines.append("… \(sorted.count - room) more queues") }
        if !workers.isEmpty {
            let shown = rows == .max ? workers.count : max(1, workerRows - 2)
            lines += [""] + WorkerTable.table(Array(workers.prefix(shown))).lines(width: columns)
        }
        return Array(lines.prefix(rows))
    }

    private var heading: [String] {
        let field = { (section: String, name: String) in information[section, name] ?? "-" }
        let uptime = Int64(field("server", "uptime_in_seconds")).map { TimeText.span($0 * 1_000) } ?? "-"
        let memory = Int64(field("memory", "used_memory_rss")).map { "\($0 >> 20) MiB" } ?? "-"
        let data = Int64(field("storage", "data_bytes")).map { "\($0 >> 20) MiB" } ?? "-"
        return [
            "martlet \(field("server", "martlet_version")) at \(place), up \(uptime), "
                + "\(field("clients", "connected_clients")) clients (\(field("clients", "blocked_clients")) blocked), "
                + "memory \(memory), data \(data)",
            "\(field("tasks", "pending")) pending, \(field("tasks", "scheduled")) scheduled, "
                + "\(field("tasks", "active")) active, \(field("tasks", "blocked")) blocked, "
                + "\(field("tasks", "dlq")) dead, "
                + "\(field("tasks", "completed")) completed",
        ]
    }

    private func queueTable(_ queues: [RESPValue]) -> OutputTable {
        var table = OutputTable([
            "QUEUE", "PENDING", "SCHEDULED", "ACTIVE", "DLQ", "IN/S", "OUT/S", "FAIL/S", "OLDEST", "WORKERS",
            "NOTE",
        ])
        for queue in queues {
            let field = { (name: String) in queue[name]?.cell ?? "-" }
            let rate = rates[queue["name"]?.text ?? ""]
            let notes = ["paused", "draining", "lagging"].filter { queue[$0]?.boolean == true }
            table.add([
                field("name"), field("pending"), field("scheduled"), field("active"), field("dlq"),
                Self.rounded(rate?.added), Self.rounded(rate?.completed), Self.rounded(rate?.failed),
                queue["oldest_ms"]?.integer.map { TimeText.span($0) } ?? "-", field("workers"),
                notes.joined(separator: ","),
            ])
        }
        return table
    }

    private func activity(_ queue: RESPValue) -> Double {
        let rate = rates[queue["name"]?.text ?? ""].map { $0.added + $0.completed + $0.failed } ?? 0
        let waiting = (queue["pending"]?.integer ?? 0) + (queue["active"]?.integer ?? 0)
        return rate * 1e9 + Double(waiting)
    }

    private static func rounded(_ rate: Double?) -> String {
        rate.map { $0 < 10 && $0 > 0 ? "\((($0) * 10).rounded() / 10)" : "\(Int($0.rounded()))" } ?? "-"
    }
}
