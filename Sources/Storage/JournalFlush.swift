import Glibc

/// A flush of the journal that can run on another thread, while its owner goes on with the next group.
public struct JournalFlush: Sendable {
    let file: JournalFile
    /// What it makes durable.
    let upTo: JournalExtent
    let pass: Int

    /// Runs it. Blocks until the disk has everything.
    /// - Returns: 0, or what the operating system says went wrong.
    public func run() -> Int32 { fdatasync(file.descriptor) == 0 ? 0 : errno }
}

/// How far entries of a journal reach.
struct JournalExtent: Sendable {
    /// Where the next one goes.
    var end = 0
    var groups: UInt32 = 0
    var effects = 0

    /// Another entry, of `size` bytes.
    mutating func take(_ size: Int, _ effects: Int) {
        end = (end + size + 7) & ~7
        groups += 1
        self.effects += effects
    }
}

/// The open file; closed when neither its journal nor a flush needs it any more.
final class JournalFile: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
