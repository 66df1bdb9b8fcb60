// swift-tools-version: 6.2
import PackageDescription

/// What every target is compiled with. A warning is an error.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// The same, and unsafe constructs have to be spelled `unsafe`. Only Storage, which wraps C, goes without.
let safe: [SwiftSetting] = house + [.strictMemorySafety()]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let tracing: Target.Dependency = .product(name: "Tracing", package: "swift-distributed-tracing")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "martlet",
    products: [
        .library(name: "MartletClient", targets: ["MartletClient"]),
        .executable(name: "martlet", targets: ["martlet"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CLMDB", path: "Sources/CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(name: "CChecksum", path: "Sources/CChecksum"),
        .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "MartletStorage", dependencies: ["CLMDB", "CZlib", "CChecksum"], path: "Sources/Storage",
            swiftSettings: house),
        .target(name: "MartletProtocol", dependencies: [nio], path: "Sources/Protocol", swiftSettings: safe),
        .target(
            name: "MartletEngine",
            dependencies: [
                "MartletStorage", "MartletProtocol", .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "Sources/Engine", swiftSettings: safe),
        .target(
            name: "MartletBroker",
            dependencies: [
                "MartletEngine", "MartletStorage", "MartletProtocol", nio, nioPosix, logging,
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Sources/Broker", swiftSettings: safe),
        .target(
            name: "MartletClient",
            dependencies: ["MartletProtocol", nio, nioPosix, nioHTTP, logging, metrics, tracing, lifecycle],
            path: "Sources/Client", swiftSettings: safe),
        .target(
            name: "MartletBench", dependencies: ["MartletProtocol", nio, nioPosix], path: "Sources/Bench",
            swiftSettings: safe),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "MartletBroker", "MartletBench", "MartletClient", "MartletProtocol", logging,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/martlet", swiftSettings: safe),
        .executableTarget(
            name: "summarizer",
            dependencies: [
                "MartletClient", logging, lifecycle,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/Summarizer", swiftSettings: safe),
        .executableTarget(
            name: "jobs",
            dependencies: [
                "MartletClient", nio, nioPosix, logging, lifecycle,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Examples/Jobs", swiftSettings: safe),
        .executableTarget(
            name: "engine-bench", dependencies: ["MartletEngine", "MartletProtocol", "MartletStorage"],
            path: "Benchmarks/Engine",
            swiftSettings: house),
        .target(
            name: "MartletSimulation", dependencies: ["MartletEngine", "MartletStorage", "MartletProtocol"],
            path: "Tests/Simulation", swiftSettings: safe),
        .executableTarget(
            name: "simulate", dependencies: ["MartletSimulation"], path: "Tests/SimulationRunner", swiftSettings: safe),
        .testTarget(name: "StorageTests", dependencies: ["MartletStorage", "CChecksum"], swiftSettings: house),
        .testTarget(name: "ProtocolTests", dependencies: ["MartletProtocol", nio], swiftSettings: house),
        .testTarget(
            name: "EngineTests", dependencies: ["MartletEngine", "MartletStorage", "MartletProtocol"],
            swiftSettings: house),
        .testTarget(name: "SimulationTests", dependencies: ["MartletSimulation"], swiftSettings: house),
        .testTarget(
            name: "BrokerTests",
            dependencies: ["MartletBroker", "MartletClient", "MartletProtocol", nio, nioPosix, logging],
            swiftSettings: house),
        .testTarget(
            name: "ClientTests",
            dependencies: [
                "MartletClient", "MartletProtocol", nio, nioPosix, logging, metrics, tracing, lifecycle,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "MetricsTestKit", package: "swift-metrics"),
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
            ],
            swiftSettings: house),
        .testTarget(
            name: "BenchTests", dependencies: ["MartletBench", "MartletBroker", "MartletProtocol", logging],
            swiftSettings: house),
        .testTarget(name: "TidyTests", swiftSettings: house),
    ]
)
