internal import MartletEngine
internal import MartletProtocol
public import MartletStorage

/// One seeded life of the engine in virtual time, beside the model that predicts its every reply.
///
/// A step runs a group of operations, lets time pass, drops a group half way, makes the disk fail, or restarts. What
/// differs from the model ends the simulation with a `SimulationFailure`. Confined to one thread.
public final class Simulation {
    public let seed: UInt64
    let directory: String
    /// The start: 2025-01-01T00:00:00Z.
    var now: Timestamp = 1_735_689_600_000
    var model = Model()
    var generator: Generator
    var random: SplitMix64
    let faults = FaultInjector()
    private var opened: TaskStore?
    /// Every task that was added, and what of it the caller still asks about.
    var known: [TaskID] = []
    /// A list that is read page by page while everything changes.
    var slowList: SlowList?
    var step = 0
    var log: [() -> String] = []
    /// How much of that a failure tells.
    var logged = 25
    /// The first difference that was found.
    var finding: String?
    /// The reasons that TASK.WHY gave, as the model predicted.
    var reasonsTold: Set<WaitReason> = []
    /// How many operations were compared.
    public internal(set) var operations = 0

    /// - Parameter directory: an empty directory of its own; the caller removes it.
    public init(seed: UInt64, directory: String) throws(StorageError) {
        self.seed = seed
        self.directory = directory
        generator = Generator(seed: seed)
        random = SplitMix64(seed: ~seed)
        try reopen(seed: seed)
    }

    /// How much the stream keeps: nearly always all.
    var keptMoves: Int64 { seed % 5 == 0 ? 100 : 1_000_000 }

    /// The engine under test.
    var store: TaskStore {
        guard let opened else { preconditionFailure("the simulation is over: its store was closed") }
        return opened
    }

    /// Opens what the directory holds; what lived in memory alone is gone. After a crash what LMDB has not committed is
    /// in the journal, whose size changes from life to life.
    func reopen(seed: UInt64, afterCrash: Bool = false) throws(StorageError) {
        afterCrash ? opened?.abandon() : opened?.close()
        opened = nil
        let options = TaskStoreOptions(
            maxBytes: 256 << 20, journalBytes: random.pick([0, 1 << 10, 16 << 10, 1 << 20]),
            durability: random.chance(50) ? .always : .everySecond, faults: faults)
        opened = try TaskStore(directory: directory, options: options, now: now, seed: seed)
        opened?.withEngine {
            $0.operationSlice = Model.slice
            $0.keepMoves(keptMoves)
        }
    }

    private func close() {
        opened?.close()
        opened = nil
    }

    /// Runs so many steps, then drains the queues and compares all once more.
    public func run(steps: Int) throws(SimulationFailure) {
        for _ in 0..<steps { try takeStep() }
        try drain()
        close()
    }

    private func takeStep() throws(SimulationFailure) {
        step += 1
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<62: runGroup()
        case 62..<82: letTimePass()
        case 82..<87: runGroup(crash: true)
        case 87..<92: runGroup(fault: Fault.invent(&random))
        case 92..<94: undoHandOut()
        case 94..<96: forgetCaller()
        case 96..<97: settle()
        default: restart()
        }
        if finding == nil { readSlowList() }
        if finding == nil, step % 16 == 0 { compareTasks() }
        if finding == nil, step % 24 == 0 { compareAll() }
        try report()
    }

    /// Ends the simulation when something was found.
    func report() throws(SimulationFailure) {
        guard let finding else { return }
        close()
        throw SimulationFailure(seed: seed, step: step, finding: finding, lastSteps: log.map { $0() })
    }

    /// Remembers what was done, for the report.
    func note(_ text: @escaping @autoclosure () -> String) {
        let (step, now) = (step, now)
        log.append { "\(step) at \(now): \(text())" }
        if log.count > logged { log.removeFirst() }
    }

    /// Keeps the first finding.
    func found(_ text: String) { finding = finding ?? text }
}
