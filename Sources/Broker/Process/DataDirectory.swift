import FoundationEssentials
import Glibc
import MartletEngine
import MartletProtocol
import MartletStorage

/// A data directory that nobody serves.
public enum DataDirectory {
    /// One place where its tables do not agree.
    public struct Finding: Sendable {
        public let kind: String
        /// What it is about.
        public let text: String
        public let isRepairable: Bool
    }

    /// What a check found.
    public struct Report: Sendable {
        public let tasks: Int
        /// The first ones.
        public let found: [Finding]
        /// How many there were in all, and how many are left.
        public let count: Int
        public let left: Int
    }

    /// Reads all tables and says where they disagree; with `repair` mends what can be derived.
    /// - Parameter progress: is told now and then which table is read and how many of its records were.
    /// - Throws: `StartError` if there is no data, or a broker holds it.
    public static func check(
        _ directory: String, repair: Bool, progress: @escaping (String, Int) -> Void
    ) throws(StartError) -> Report {
        guard FileManager.default.fileExists(atPath: directory + "/data.mdb") else {
            throw StartError(EX_NOINPUT, "there is no data in \(directory)")
        }
        do throws(StorageError) {
            let now = BrokerClock(BrokerClock.read()).now
            let check = try DataCheck(directory: directory, now: now, progress: progress)
            let report = try check.run(repair: repair)
            let found = report.found.map {
                Finding(kind: $0.kind.rawValue, text: LogText.escaped($0.text), isRepairable: $0.isRepairable)
            }
            return Report(tasks: report.tasks, found: found, count: report.count, left: report.left)
        } catch {
            throw StartError(BrokerServer.exitCode(error), "cannot check \(directory): \(error)")
        }
    }
}
