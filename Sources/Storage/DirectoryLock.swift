import Glibc

/// One process per data directory: an exclusive lock on the file `owner`, which says who holds it.
///
/// The kernel lets go of it when the process ends, however it ends.
final class DirectoryLock {
    private let descriptor: Int32

    init(directory: String) throws(StorageError) {
        let path = directory + "/owner"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw StorageError(code: errno, "cannot open \(path)") }
        // From here on a throw runs `deinit`, which closes the file: closing it here too would close another's.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.text(descriptor)
            let who = holder.isEmpty ? "another process" : "process \(holder)"
            throw StorageError(.busy, "\(directory) is in use by \(who); stop it or choose another directory")
        }
        let line = Array("\(getpid())".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, line, line.count, 0) == line.count else {
            throw StorageError(code: errno, "cannot write \(path)")
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    private static func text(_ descriptor: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
}

/// Creates the directory (0700) if it is not there, and makes its name durable.
func prepareDirectory(_ path: String) throws(StorageError) {
    var information = stat()
    if stat(path, &information) == 0 {
        guard information.st_mode & S_IFMT == S_IFDIR else {
            throw StorageError(code: ENOTDIR, "cannot use \(path)")
        }
        guard chmod(path, 0o700) == 0 else { throw StorageError(code: errno, "cannot restrict \(path) to its owner") }
        return
    }
    guard mkdir(path, 0o700) == 0 else { throw StorageError(code: errno, "cannot create \(path)") }
    let parent = open(path + "/..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard parent >= 0 else { return }
    _ = fsync(parent)
    close(parent)
}
