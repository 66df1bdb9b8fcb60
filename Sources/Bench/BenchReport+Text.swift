extension BenchReport {
    /// For people: a few lines, a table of latencies, the verdict.
    public var text: String {
        var lines = [
            "\(plan.peer.rawValue) \(plan.mode.rawValue), \(plan.connections) connections x pipeline \(plan.pipeline)"
                + (plan.batch > 1 ? ", batches of \(plan.batch)" : "") + ", payload \(plan.payload) bytes",
            "\(jobs) jobs in \(fixed(seconds, 2)) s: \(fixed(jobsPerSecond, 0)) jobs/s",
            "client \(fixed(clientShare * 100, 0)) % of a core, server "
                + (serverMicrosecondsPerJob.map { "\(fixed($0, 1)) CPU us/job" } ?? "CPU not to be seen"),
            "",
            row("latency, us", ["p50", "p90", "p99", "p99.9", "max"]),
        ]
        for (command, latency) in latencies {
            let values = [latency.p50, latency.p90, latency.p99, latency.p999, latency.largest]
            lines.append(row(command.name, values.map { fixed($0, 0) }))
        }
        lines += ["", verdict]
        return lines.joined(separator: "\n")
    }

    /// One sentence: did each job come exactly once?
    var verdict: String {
        guard !isVerified else {
            switch plan.mode {
            case .enqueue: return "verified: every job was acknowledged"
            default: return "verified: each job came exactly once" + (plan.checksOrder ? ", in order" : "")
            }
        }
        let counts = findingCounts.filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }
        return "NOT VERIFIED: " + (counts + ["finished \(jobs) of \(plan.jobs)"]).joined(separator: ", ")
    }

    var findingCounts: [(String, Int)] {
        [
            ("missing", findings.missing), ("repeated", findings.repeated), ("foreign", findings.foreign),
            ("stale_tokens", findings.staleTokens), ("inversions", findings.inversions),
            ("overtakings", findings.overtakings),
        ]
    }

    private func row(_ name: String, _ cells: [String]) -> String {
        name.padded(to: 12) + cells.map { $0.padded(to: -10) }.joined()
    }
}

/// `value` with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "-" }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let scaled = Int64((abs(value) * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return sign + String(scaled) }
    let fraction = String(scaled % Int64(scale))
    let zeros = String(repeating: "0", count: decimals - fraction.utf8.count)
    return "\(sign)\(scaled / Int64(scale)).\(zeros)\(fraction)"
}

extension String {
    /// Filled with spaces on the right to `width`, or on the left when it is negative.
    fileprivate func padded(to width: Int) -> String {
        let spaces = String(repeating: " ", count: max(0, abs(width) - count))
        return width < 0 ? spaces + self : self + spaces
    }
}
