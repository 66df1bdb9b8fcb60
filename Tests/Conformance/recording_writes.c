// Records what a process writes to the files below RECORD_BELOW and to its sockets, and every flush, in order, into
// the file RECORD_TO: preloaded into the broker, for the tests. A record, little-endian:
//
//     kind u8 (w write, d write that is flushed, f flush, s socket) | name size u16 | offset u64 | size u32 | name | data
//
// A record is written when the call has returned: what was replied is known to have come after the flush before it.
// A flush has as its offset the number of the record after which it began: it vouches for no write that came later.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int output = -1;
static uint64_t recorded_so_far;

static int is_open(void) {
    if (output < 0) {
        const char *path = getenv("RECORD_TO");
        output = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -2;
    }
    return output >= 0;
}

// The name of what `descriptor` is, if it is recorded: a file below the directory, or a socket.
static int named(int descriptor, char *name, size_t size, int *is_socket) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, name, size - 1);
    if (length <= 0) return 0;
    name[length] = 0;
    *is_socket = strncmp(name, "socket:", 7) == 0;
    const char *below = getenv("RECORD_BELOW");
    return *is_socket || (below && strncmp(name, below, strlen(below)) == 0);
}

static void put(const void *bytes, size_t size) {
    while (size > 0) {
        ssize_t done = syscall(SYS_write, output, bytes, size);
        if (done <= 0) _exit(99);
        bytes = (const char *)bytes + done;
        size -= done;
    }
}

static void record(char kind, int descriptor, const struct iovec *parts, int count, ssize_t done, off_t offset) {
    char name[512];
    int is_socket = 0;
    if (!is_open() || !named(descriptor, name, sizeof name, &is_socket)) return;
    if (is_socket && kind != 'w') return;
    if (is_socket) kind = 's';
    else if (kind == 'w' && (fcntl(descriptor, F_GETFL) & O_DSYNC)) kind = 'd';
    unsigned char head[15];
    uint16_t name_size = strlen(name);
    uint64_t where = offset < 0 ? 0 : offset;
    uint32_t size = done < 0 ? 0 : done;
    head[0] = kind;
    memcpy(head + 1, &name_size, 2);
    memcpy(head + 3, &where, 8);
    memcpy(head + 11, &size, 4);
    pthread_mutex_lock(&lock);
    put(head, sizeof head);
    recorded_so_far++;
    put(name, name_size);
    for (int part = 0; part < count && size > 0; part++) {
        size_t taken = parts[part].iov_len < size ? parts[part].iov_len : size;
        put(parts[part].iov_base, taken);
        size -= taken;
    }
    pthread_mutex_unlock(&lock);
}

static void recorded(int descriptor, const void *bytes, ssize_t done, off_t offset) {
    struct iovec part = {(void *)bytes, done < 0 ? 0 : done};
    if (done > 0) record('w', descriptor, &part, 1, done, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    off_t offset = lseek(descriptor, 0, SEEK_CUR);
    ssize_t done = NEXT(write)(descriptor, bytes, count);
    recorded(descriptor, bytes, done, offset);
    return done;
}

ssize_t send(int descriptor, const void *bytes, size_t count, int flags) {
    ssize_t done = NEXT(send)(descriptor, bytes, count, flags);
    recorded(descriptor, bytes, done, 0);
    return done;
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    off_t offset = lseek(descriptor, 0, SEEK_CUR);
    ssize_t done = NEXT(writev)(descriptor, parts, count);
    if (done > 0) record('w', descriptor, parts, count, done, offset);
    return done;
}

ssize_t sendmsg(int descriptor, const struct msghdr *message, int flags) {
    ssize_t done = NEXT(sendmsg)(descriptor, message, flags);
    if (done > 0) record('w', descriptor, message->msg_iov, message->msg_iovlen, done, 0);
    return done;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    ssize_t done = NEXT(pwrite)(descriptor, bytes, count, offset);
    recorded(descriptor, bytes, done, offset);
    return done;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    ssize_t done = NEXT(pwrite64)(descriptor, bytes, count, offset);
    recorded(descriptor, bytes, done, offset);
    return done;
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    ssize_t done = NEXT(pwritev)(descriptor, parts, count, offset);
    if (done > 0) record('w', descriptor, parts, count, done, offset);
    return done;
}

static off_t now_recorded(void) {
    pthread_mutex_lock(&lock);
    off_t number = recorded_so_far;
    pthread_mutex_unlock(&lock);
    return number;
}

int fsync(int descriptor) {
    off_t before = now_recorded();
    int result = NEXT(fsync)(descriptor);
    if (result == 0) record('f', descriptor, NULL, 0, 0, before);
    return result;
}

int fdatasync(int descriptor) {
    off_t before = now_recorded();
    int result = NEXT(fdatasync)(descriptor);
    if (result == 0) record('f', descriptor, NULL, 0, 0, before);
    return result;
}
