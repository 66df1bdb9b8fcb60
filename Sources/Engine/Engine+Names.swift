import MartletProtocol
import MartletStorage

extension Engine {
    /// The number of a queue, which appears if it is not there.
    mutating func queueNumber(
        _ name: Bytes, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> UInt32 {
        if let number = queueNumbers[name] { return number }
        if let number = freeQueues.popLast() {
            replaceQueue(number, name: name)
            queueNumbers[name] = number
            return number
        }
        let number = UInt32(queues.count + 1)
        queues.append(QueueState(id: number, name: name))
        queueNumbers[name] = number
        change(number) { _ in }
        return number
    }

    /// A queue's number stands for another, new one; without a name: for none.
    mutating func replaceQueue(_ number: UInt32, name: Bytes) {
        change(number) {
            $0 = QueueState(id: number, name: name)
            $0.isChanged = true
        }
    }

    /// The number of a type, which is given one if it has none.
    mutating func typeNumber(
        _ name: Bytes, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> UInt32 {
        if let number = types.number(name) { return number }
        let number = UInt32(types.count + 1)
        try transaction.put(Tables.names, Names.key(.type, number)) { $0.bytes(name) }
        _ = types.add(name)
        undoLog.changes.append(.typeAdded)
        return number
    }

    func queue(_ number: UInt32) -> QueueState { queues[Int(number) - 1] }

    // A queue's whole state is large: the hot path copies its name alone.
    func queueName(_ number: UInt32) -> Bytes { queues[Int(number) - 1].name }

    /// The sequence of an id of this data directory; `nil` if it was not made here.
    func sequence(_ id: TaskID?) -> UInt64? {
        guard let id, broker.id(id.sequence) == id else { return nil }
        return id.sequence
    }

    func unknownTask(_ id: TaskID?) -> CommandError {
        guard let id else { return CommandError(.noTask, "not a task id; ids look like \(broker.id(0))") }
        return CommandError(.noTask, "no task \(id); it never was, or its record was removed")
    }
}
