import Logging
import MartletEngine
import MartletProtocol
import MartletStorage

/// What may be tried while storage is in trouble, so that refusals are quick and recovery needs nobody.
struct StorageGate {
    /// How often room is looked at, in milliseconds.
    private static let interval: Milliseconds = 100

    /// Bytes of requests a group may always take.
    private static let smallestGroup = 64 * 1024

    private var level = SpaceLevel.ample
    private var nextLook = Timestamp.min
    /// The disk was found full: what needs room is not tried before.
    private var fullUntil = Timestamp.min
    /// Why nothing can be written any more.
    private(set) var failure: String?
    /// An operator ordered that nothing is to be written.
    var isReadOnlyByOrder = false

    /// Why nothing is written now.
    var readOnly: String? { failure ?? (isReadOnlyByOrder ? "BROKER.READONLY is on" : nil) }

    /// Nothing is in the way of writing.
    var isOpen: Bool { readOnly == nil && level == .ample }

    /// Looks how much room there is: now and then, and before every group while the data file is nearly full.
    /// - Returns: how many bytes of requests the next group may take, so that it does not run through what is kept
    ///   back.
    mutating func look(_ store: TaskStore, _ now: Timestamp, _ logger: Logger) -> Int {
        let usage = store.usage
        let share = max(Self.smallestGroup, (usage.capacity - usage.used) / 8)
        if failure == nil, nextLook <= now || nextLook > now + Self.interval || share < GroupLimits.bytes {
            nextLook = now + Self.interval
            lookAgain(store, logger)
        }
        return min(share, GroupLimits.bytes)
    }

    private mutating func lookAgain(_ store: TaskStore, _ logger: Logger) {
        let before = level
        level = store.spaceLevel()
        guard level != before else { return }
        if level == .ample {
            logger.notice("there is room again: everything is accepted")
        } else {
            logger.error("room is running out", metadata: ["level": "\(level)"])
        }
    }

    /// Why a command with `flags` is not even tried; `nil`: it is.
    func refusal(_ flags: CommandFlags, _ now: Timestamp) -> CommandError? {
        guard flags.contains(.write) else { return nil }
        if let failure { return Self.isReadOnly(failure) }
        if isReadOnlyByOrder { return Self.isReadOnlyByOrder }
        let needsRoom =
            flags.contains(.denyOutOfMemory) ? level >= .low : flags.contains(.handsOut) && level >= .critical
        guard needsRoom || (now < fullUntil && !flags.isDisjoint(with: [.denyOutOfMemory, .handsOut])) else {
            return nil
        }
        return Self.isFull("the data directory has no room for new tasks")
    }

    /// A command that was tried failed.
    mutating func failed(_ error: StorageError, _ store: TaskStore, _ now: Timestamp, _ logger: Logger) {
        switch error.kind {
        case .full: fullUntil = now + Self.interval
        case .damaged: logger.error("a record is damaged", metadata: ["reason": "\(error)"])
        default:
            guard let reason = store.readOnlyReason, failure == nil else { return }
            failure = "\(reason)"
            logger.critical("storage failed: nothing is written any more", metadata: ["reason": "\(reason)"])
        }
    }

    /// What a client is told about `error`.
    func failure(_ error: StorageError) -> CommandError {
        let reason = Request.printable(Array("\(error)".utf8), limit: 300)
        switch error.kind {
        case .full: return Self.isFull(reason)
        case .damaged: return CommandError(.error, "damaged record: \(reason)")
        case .failed, .busy, .version: return Self.isReadOnly(reason)
        }
    }

    private static func isFull(_ reason: String) -> CommandError {
        CommandError(.diskFull, "\(reason); free disk space, or raise the limit of --max-data-mb")
    }

    private static let isReadOnlyByOrder = CommandError(
        .readOnly, "BROKER.READONLY is on: nothing is changed until BROKER.READONLY off")

    private static func isReadOnly(_ reason: String) -> CommandError {
        CommandError(.readOnly, "storage failed, nothing is written any more: \(reason); repair it and start again")
    }
}
