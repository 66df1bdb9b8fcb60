import MartletEngine
import MartletProtocol

/// What is told about queues.
let queueCommands = [
    Command(
        "QUEUE.INFO", .exactly(2), [.readonly, .fast], usage: "queue",
        summary: "Tells a queue's counts.", group: "queue", reply: "a map",
        run: .read { (cursor, _) throws(CommandError) in .queueInfo(try cursor.queue()) }),
    Command(
        "QUEUE.LIST", .exactly(1), [.readonly],
        summary: "Tells the counts of every queue.", group: "queue", reply: "an array of maps",
        run: .read { (_, _) throws(CommandError) in .queueList }),
]
