extension BenchReport {
    /// For programs: one line. Times in microseconds; `server_us_per_job` is null when it is not known.
    public var json: String {
        var fields = [
            "\"peer\":\"\(plan.peer.rawValue)\"", "\"mode\":\"\(plan.mode.rawValue)\"",
            "\"connections\":\(plan.connections)", "\"pipeline\":\(plan.pipeline)", "\"batch\":\(plan.batch)",
            "\"payload\":\(plan.payload)", "\"jobs\":\(jobs)", "\"seconds\":\(fixed(seconds, 6))",
            "\"jobs_per_second\":\(fixed(jobsPerSecond, 1))", "\"client_share\":\(fixed(clientShare, 4))",
            "\"server_us_per_job\":\(serverMicrosecondsPerJob.map { fixed($0, 3) } ?? "null")",
            "\"empty_reserves\":\(emptyReserves)", "\"verified\":\(isVerified)",
        ]
        fields += findingCounts.map { "\"\($0.0)\":\($0.1)" }
        let kinds = latencies.map { command, latency in "\"\(command.name)\":\(Self.json(latency))" }
        fields.append("\"latency_us\":{\(kinds.joined(separator: ","))}")
        return "{\(fields.joined(separator: ","))}"
    }

    private static func json(_ latency: LatencyReport) -> String {
        let values = [
            ("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p999", latency.p999),
            ("max", latency.largest),
        ]
        let fields = ["\"count\":\(latency.count)"] + values.map { "\"\($0.0)\":\(fixed($0.1, 1))" }
        return "{\(fields.joined(separator: ","))}"
    }
}
