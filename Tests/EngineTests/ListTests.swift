import MartletEngine
import MartletProtocol
import Testing

@Suite("A page of a list looks at no more than it may")
struct ListTests {
    private func page(_ request: ListRequest, _ fixture: StoreFixture) throws -> (next: ListCursor?, tasks: [TaskView])
    {
        guard case .list(let next, let tasks) = try fixture.run(.list(request))[0] else {
            throw StoreFixture.Unexpected()
        }
        return (next, tasks)
    }

    @Test("a page that finds nothing ends at its bound, with a cursor that goes on")
    func bounds() throws {
        let fixture = try StoreFixture()
        for number in 0..<50 { _ = try fixture.add { $0.tags = number == 49 ? [[1]] : [] } }
        var request = ListRequest(queue: Bytes("q".utf8))
        request.tag = [1]
        request.bounds.gathered = 0
        request.bounds.examined = 10
        var pages = 0
        var found = 0
        repeat {
            let page = try page(request, fixture)
            (request.cursor, pages, found) = (page.next, pages + 1, found + page.tasks.count)
        } while request.cursor != nil
        #expect(pages == 6 && found == 1)
    }

    @Test("large labels end a page early, yet every page tells at least one task")
    func bytes() throws {
        let fixture = try StoreFixture()
        for _ in 0..<3 {
            _ = try fixture.add { $0.meta = [MetaField(name: [1], value: Bytes(repeating: 2, count: 3_000))] }
        }
        var request = ListRequest()
        request.bounds.bytes = 2_000
        for _ in 0..<3 {
            let page = try page(request, fixture)
            #expect(page.tasks.count == 1)
            request.cursor = page.next
        }
        #expect(request.cursor == nil)
    }

    @Test("many queues are merged block by block, in both directions")
    func blocks() throws {
        let fixture = try StoreFixture()
        for number in 0..<300 as Range<Int64> {
            _ = try fixture.add("q\(number)") { $0.due = .after(1_000 - number) }
        }
        for isReversed in [false, true] {
            var request = ListRequest()
            (request.order, request.isReversed, request.count) = (.run, isReversed, 70)
            var seen: [TaskID] = []
            repeat {
                let page = try page(request, fixture)
                seen += page.tasks.map(\.id)
                request.cursor = page.next
            } while request.cursor != nil
            #expect(seen.count == 300 && Set(seen).count == 300)
        }
    }

    @Test(
        "a cursor survives its text, and other text is none",
        arguments: ["", "0", "1-2", "1-2-3-4", "g h-1-1", "1--1", "99999999999999999999-1-1", "-1-1-1"])
    func cursors(text: String) {
        #expect(ListCursor(Bytes(text.utf8)) == nil)
        let cursor = ListCursor(Bytes("2-zz-3w5e11264sgsf".utf8))
        #expect(cursor?.text == Bytes("2-zz-3w5e11264sgsf".utf8))
    }
}
