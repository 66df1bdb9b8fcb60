import FoundationEssentials
import Glibc

/// What the operating system knows about this process.
enum ProcessFacts {
    static var identifier: Int32 { getpid() }

    /// Bytes of memory in use, file-backed pages included.
    static var residentBytes: Int {
        guard let data = try? Data(contentsOf: URL(filePath: "/proc/self/statm")) else { return 0 }
        let fields = String(decoding: data, as: UTF8.self).split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// The most bytes that have been in use at a time.
    static var mostResidentBytes: Int {
        var usage = rusage()
        guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return residentBytes }
        return max(usage.ru_maxrss * 1024, residentBytes)
    }

    /// The name of the system, its release and the machine.
    static let operatingSystem: String = {
        func text(_ name: String) -> String {
            guard let data = try? Data(contentsOf: URL(filePath: "/proc/sys/kernel/\(name)")) else { return "" }
            return String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        }
        return "\(text("ostype")) \(text("osrelease")) \(machine)"
    }()

    private static var machine: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "aarch64"
        #else
            "unknown"
        #endif
    }

    /// Time spent so far, in microseconds.
    static var cpuMicroseconds: (user: Int64, system: Int64) {
        var usage = rusage()
        guard unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return (0, 0) }
        return (microseconds(usage.ru_utime), microseconds(usage.ru_stime))
    }

    private static func microseconds(_ time: timeval) -> Int64 {
        Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_usec)
    }
}
