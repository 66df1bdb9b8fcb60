import FoundationEssentials
import MartletEngine
import MartletProtocol

/// The tz database of this machine.
enum ZoneFiles {
    /// Where it may lie; the variable TZDIR names another place, as for the C library.
    private static var folders: [String] {
        [ProcessInfo.processInfo.environment["TZDIR"], "/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"]
            .compactMap { $0 }
    }

    static func table() -> ZoneTable {
        ZoneTable { name in
            let path = "/" + String(decoding: name, as: UTF8.self)
            for folder in folders {
                if let file = FileManager.default.contents(atPath: folder + path) { return Array(file) }
            }
            return nil
        }
    }
}
