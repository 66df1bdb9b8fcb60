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
