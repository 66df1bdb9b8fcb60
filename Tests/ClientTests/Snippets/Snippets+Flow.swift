import MartletClient

extension Snippets {
    static func schedule(_ client: MartletClient) async throws {
        try await client.setCron(
            "thumbnails", schedule: .spec("30 7 * * MON-FRI", zone: "Europe/Berlin"),
            .init(image: "today.png", width: 80), as: Resize.self, overlap: .skip)

        for entry in try await client.crons() { print(entry.name, entry.runs, entry.nextRun ?? 0) }
        let times = try await client.nextRuns(ofCron: "thumbnails", 5)
        let task = try await client.runCron("thumbnails")
        for run in try await client.cron("thumbnails", history: true).history ?? [] { print(run.at, run.id) }
        try await client.pauseCron("thumbnails")
        _ = (times, task)
    }

    static func limit(
        _ client: MartletClient, _ answer: Bytes, _ fetch: @escaping @Sendable (String) async throws -> String
    ) async throws {
        try await client.setLimit("crawler", .slots(8))
        let page = try await client.withPermit("crawler", hold: .seconds(30)) { try await fetch("a.html") }

        try await client.setLimit("provider", .rate(230, per: .seconds(10)))
        let taken = try await client.take("provider", cost: 2, wait: .seconds(30))
        guard taken.isGranted else { throw TaskFailure("the provider is busy", kind: "rate_limit") }

        var costly = TaskOptions()
        costly.addLimit("provider", cost: 2)
        let priced = try await client.enqueue(.init(image: "f.png", width: 80), as: Resize.self, options: costly)
        try await client.setQueue("albums", .limit("provider"))

        try await client.setLimit("provider", ProviderRate(json: answer).rule)
        _ = (page, priced)
    }

    static func guardCalls(_ client: MartletClient, _ fetch: (String) async throws -> String) async throws {
        try await client.setBreaker("exchange", BreakerRule(failures: 5, per: .seconds(60), coolDown: .seconds(30)))
        do {
            print(try await client.withBreaker("exchange") { try await fetch("rates") })
        } catch MartletError.breakerOpen {
            print("the exchange is down; not tried")
        }

        try await client.setQueue("albums", .breaker("exchange"))
    }

    static func together(_ client: MartletClient) async throws {
        let album = try await client.newBatch(
            onSuccess: [BatchFollower(.init(image: "album.zip", width: 0), as: Resize.self, queue: "albums")])
        for image in ["a.png", "b.png"] {
            _ = try await client.enqueue(.init(image: image, width: 80), as: Resize.self, batch: album)
        }
        try await album.seal()
        print(try await album.details().completed)
    }

    static func compute(_ client: MartletClient, _ fetch: (String) async throws -> String) async throws -> String {
        let rates = try await client.cached("rates:eur", for: .seconds(60)) { try await fetch("rates") }
        return rates
    }
}
