import FoundationEssentials

/// Reads how long a process on this machine has been running on a core.
enum ProcessTime {
    /// Nanoseconds on a core of all threads that `process` has now; `nil`: there is no such process to be seen.
    static func nanoseconds(of process: String) -> Int64? {
        let folder = "/proc/\(process)/task"
        guard let threads = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return nil }
        var sum: Int64 = 0
        for thread in threads {
            guard let text = try? String(contentsOfFile: "\(folder)/\(thread)/schedstat", encoding: .utf8),
                let field = text.split(separator: " ").first, let time = Int64(field)
            else { continue }
            sum &+= time
        }
        return sum
    }

    /// The same of this process.
    static func own() -> Int64 { nanoseconds(of: "self") ?? 0 }
}
