import MartletStorage

/// Every table of the store. `docs/storage.md` draws their keys and records.
enum Tables {
    /// The task as it was added. Key: sequence. Written once, appended.
    static let tasks = Table(index: 0, name: "tasks")
    /// What became of it: attempts, lease, end. Key: phase, sequence. First written at hand-out.
    static let states = Table(index: 1, name: "states")
    /// What waits to be handed out, due or not, in the order of hand-out. Key: `WaitingKey`.
    static let waiting = Table(index: 2, name: "waiting")
    /// What will happen when. Key: `TimerKey`.
    static let timers = Table(index: 3, name: "timers")
    /// Ended tasks by queue, state and time. Key: `EndedKey`.
    static let ended = Table(index: 4, name: "ended")
    /// Large payloads and results. Key: sequence, kind.
    static let bodies = Table(index: 5, name: "bodies")
    /// Moves that cannot be derived from the task's own times. Key: sequence, number.
    static let history = Table(index: 6, name: "history")
    /// The broker's record (key 0) and a record of options and counters for each queue.
    static let queues = Table(index: 7, name: "queues")
    /// Names behind the numbers in keys. Key: kind, number.
    static let names = Table(index: 8, name: "names")
    /// Answers that a blind retry gets again. Key: number of the group.
    static let requests = Table(index: 9, name: "requests")
    /// The workers that are known. Key: number.
    static let workers = Table(index: 12, name: "workers")
    /// Lines logged for a task. Key: sequence, number of a chunk's first line; 0: where the log stands.
    static let logs = Table(index: 13, name: "logs")
    /// Damaged records, out of the way. Key: table, key.
    static let quarantine = Table(index: 10, name: "quarantine")

    /// Who holds which UNIQUE key. Key: queue, hash of the key.
    static let unique = Table(index: 11, name: "unique")
    /// Dead tasks counted by kind of error. Key: queue, hash of the kind.
    static let kinds = Table(index: 14, name: "kinds")
    /// Operations on many tasks. Key: number.
    static let operations = Table(index: 15, name: "operations")

    /// The cron table. Key: number of the entry.
    static let crons = Table(index: 16, name: "crons")

    /// Limits. Key: number.
    static let limits = Table(index: 17, name: "limits")
    /// Slots of limits that are held. Key: limit, number.
    static let permits = Table(index: 18, name: "permits")
    /// What a parked task waits for. Key: sequence.
    static let dependencies = Table(index: 19, name: "dependencies")
    /// Who waits for the end of a task. Key: its sequence, the other's sequence.
    static let dependents = Table(index: 20, name: "dependents")

    /// Breakers. Key: number.
    static let breakers = Table(index: 21, name: "breakers")

    /// What happened to tasks, a record a group. Key: time and number of its first move.
    static let moves = Table(index: 22, name: "moves")

    /// Tasks with an ORDER key whose lives are not over. Key: queue, hash of the key, sequence.
    static let orders = Table(index: 23, name: "orders")
    /// Tasks that are one undertaking. Key: sequence.
    static let batches = Table(index: 24, name: "batches")
    /// The tasks of a batch that have not ended. Key: the batch's sequence, the task's sequence.
    static let members = Table(index: 25, name: "members")
    /// What is added when a batch ends. Key: its sequence.
    static let followers = Table(index: 26, name: "followers")
    /// The waiting tasks of queues with FAIR or GROUPCONCURRENCY by their groups. Key: `LineKey`.
    static let lines = Table(index: 27, name: "lines")
    /// Those groups in the order of their turns. Key: `GroupTurn`'s place in the round.
    static let turns = Table(index: 28, name: "turns")
    /// When each of these groups has its turn. Key: the round, group.
    static let groups = Table(index: 29, name: "groups")

    /// What plain keys hold. Key: hash of the key.
    static let texts = Table(index: 30, name: "texts")

    /// Limits that tasks need together. Key: number of the set.
    static let limitSets = Table(index: 31, name: "limit_sets")

    static let all = [
        tasks, states, waiting, timers, ended, bodies, history, queues, names, requests, quarantine, unique,
        workers, logs, kinds, operations, crons, limits, permits, dependencies, dependents, breakers, moves,
        orders, batches, members, followers, lines, turns, groups, texts, limitSets,
    ]
}
