import ArgumentParser
import FoundationEssentials
import MartletProtocol

/// `martlet snapshot`: a copy of a broker's data while it runs.
struct SnapshotCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot", abstract: "Copy a running broker's data into a new directory that serve can serve.",
        discussion: """
            The broker writes it, on its own machine and as its own user, and goes on meanwhile. It has everything \
            that was answered before, and is there whole and durable, or not at all. However long it takes, it is \
            waited for.
            """)

    @Argument(
        help: """
            Where: a path on the broker's machine, where nothing is yet but perhaps an empty directory. A relative \
            one counts from this command's working directory.
            """)
    var path: String
    @OptionGroup var broker: BrokerOptions

    func run(_ door: Door) async throws(ToolError) {
        guard !path.isEmpty else { throw .usage("the path of a snapshot is empty") }
        let place = path.hasPrefix("/") ? path : URL(filePath: path).standardizedFileURL.path
        _ = try await door.send(RESPCommand("BROKER.SNAPSHOT", .text(place)), blocking: nil)
        let bytes = door.isOnThisMachine ? Self.size(place) : nil
        let reply = RESPValue.map([
            RESPField(.simple("path"), .simple(place)),
            RESPField(.simple("bytes"), bytes.map { .integer($0) } ?? .null),
        ])
        door.show(reply) { _ in
            let size = bytes.map { ", \(Self.mebibytes($0)) MiB" } ?? " on the broker's machine"
            return "a snapshot is in \(reply["path"]?.cell ?? "")\(size)"
        }
    }

    /// Bytes of the data file; `nil`: it cannot be seen from here.
    private static func size(_ directory: String) -> Int64? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: directory + "/data.mdb")
        return (attributes?[.size] as? any BinaryInteger).map { Int64(clamping: $0) }
    }

    /// With one decimal.
    private static func mebibytes(_ bytes: Int64) -> Double { (Double(bytes) / 1_048_576 * 10).rounded() / 10 }
}
