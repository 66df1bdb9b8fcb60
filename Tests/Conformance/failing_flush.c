// Makes flushes fail with EIO while the file named by FLUSH_FAILS exists, for the tests: preloaded into the broker.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int failing(void) {
    const char *trigger = getenv("FLUSH_FAILS");
    return trigger && access(trigger, F_OK) == 0;
}

static int flushes(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags >= 0 && (flags & O_DSYNC) && failing();
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSE { errno = EIO; return -1; }

int fsync(int descriptor) {
    if (failing()) REFUSE
    return NEXT(fsync)(descriptor);
}

int fdatasync(int descriptor) {
    if (failing()) REFUSE
    return NEXT(fdatasync)(descriptor);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    if (flushes(descriptor)) REFUSE
    return NEXT(pwrite)(descriptor, bytes, count, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
    if (flushes(descriptor)) REFUSE
    return NEXT(pwritev)(descriptor, parts, count, offset);
}
