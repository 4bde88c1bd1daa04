/* A wall clock that is off: what a process is told by its library is the real time and the seconds that the file of
 * CLOCK_OFF holds, which may change while it runs. Monotonic clocks are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none, *off = &none;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_OFF");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *found = mmap(0, sizeof *off, PROT_READ, MAP_SHARED, file, 0);
    if (found != MAP_FAILED)
        off = found;
    close(file);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        now->tv_sec += *off;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact))
        return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (where)
        *where = now.tv_sec;
    return now.tv_sec;
}

/* The times of files are the kernel's, so they are moved as well: on a host that is off they agree with its clock. */
static int moved(int failed, struct stat *file) {
    if (!failed) {
        file->st_atim.tv_sec += *off;
        file->st_mtim.tv_sec += *off;
        file->st_ctim.tv_sec += *off;
    }
    return failed;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
int stat(const char *restrict path, struct stat *restrict file) { return moved(NEXT(stat)(path, file), file); }
int lstat(const char *restrict path, struct stat *restrict file) { return moved(NEXT(lstat)(path, file), file); }
int fstat(int opened, struct stat *file) { return moved(NEXT(fstat)(opened, file), file); }
int fstatat(int folder, const char *restrict path, struct stat *restrict file, int flags) {
    return moved(NEXT(fstatat)(folder, path, file, flags), file);
}
int stat64(const char *restrict path, struct stat64 *restrict file) {
    return moved(NEXT(stat64)(path, file), (struct stat *)file);
}
int lstat64(const char *restrict path, struct stat64 *restrict file) {
    return moved(NEXT(lstat64)(path, file), (struct stat *)file);
}
int fstat64(int opened, struct stat64 *file) { return moved(NEXT(fstat64)(opened, file), (struct stat *)file); }
int fstatat64(int folder, const char *restrict path, struct stat64 *restrict file, int flags) {
    return moved(NEXT(fstatat64)(folder, path, file, flags), (struct stat *)file);
}
