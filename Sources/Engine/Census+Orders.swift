import MartletProtocol
import MartletStorage

/// ORDER keys: who has one stands in its order, once.
extension Census {
    mutating func readOrders<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        for key in try keys(Tables.orders, transaction) {
            let entry = OrderPlace.read(key)
            orders[entry.place, default: []].append(entry.sequence)
        }
    }

    /// Those that wait while another one of their key is to run.
    var heldBack: [UInt64] {
        let active = states[.active] ?? [:]
        return orders.values.flatMap { line in
            let running = line.first { active[$0] != nil }
            return line.filter { $0 != running && (running != nil || $0 != line[0]) }
        }
    }

    func orderDisagreements() -> [String] {
        let over = states[.ended] ?? [:]
        var findings: [String] = []
        var places: [UInt64: OrderPlace] = [:]
        for (place, line) in orders {
            for sequence in line {
                if places.updateValue(place, forKey: sequence) != nil {
                    findings.append("task \(sequence) has two places in orders")
                }
                if tasks[sequence]?.queue != place.queue { findings.append("task \(sequence) is in another's order") }
            }
        }
        let ordered = tasks.filter { $0.value.order != nil && over[$0.key] == nil }.map(\.key)
        let astray = Set(places.keys).symmetricDifference(ordered)
        findings += astray.map { "task \($0) stands in no order, or a wrong one" }
        // Tasks with the same key, and no others, stand together.
        for (_, line) in orders where Set(line.compactMap { tasks[$0]?.order }).count > 1 {
            findings.append("task \(line[0]) stands with others in an order")
        }
        return findings
    }
}
