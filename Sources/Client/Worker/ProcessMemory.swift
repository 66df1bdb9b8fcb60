import FoundationEssentials

/// What this process holds.
enum ProcessMemory {
    /// Resident bytes, as Linux tells; `nil` where it cannot be known.
    static func resident() -> Int? {
        guard let status = try? String(contentsOf: URL(filePath: "/proc/self/status"), encoding: .utf8) else {
            return nil
        }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
    }
}
