// Lets the Nth call on a file below a directory fail: preloaded into the program under test.
//
// HEADRACE_FAULTS names a file that the test maps, too (tests/harness/io_faults.py): it says below which directory
// calls are counted, which of them fails, and how. Calls are counted only while `armed` is set.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The same in io_faults.py.
enum { kShort = -1 };  // in place of an errno: reads give half of what is asked for
struct Control {
  int32_t armed;
  int32_t nth;    // from 1
  int32_t error;  // errno, or kShort
  int32_t count;  // matching calls so far
  int32_t fired;
  int32_t persistent;  // all calls from the Nth on fail
  char directory[PATH_MAX];
  char last[PATH_MAX];  // the path and call that failed
};

static struct Control* control;

// Not a constructor: others' constructors may come before it.
static struct Control* Get(void) {
  static int tried;
  if (!tried) {
    tried = 1;
    const char* path = getenv("HEADRACE_FAULTS");
    const int fd = path == NULL ? -1 : (int)syscall(257 /* openat */, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd >= 0) {
      void* at = mmap(NULL, sizeof(struct Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (at != MAP_FAILED) {
        control = at;
      }
      close(fd);
    }
  }
  return control;
}

static int Below(const char* path) {
  const size_t size = strlen(control->directory);
  return size > 0 && strncmp(path, control->directory, size) == 0;
}

// A call that moves bytes may be cut short or interrupted; the others never are on an ordinary file system.
static int Possible(const char* call, int error) {
  const int moves = strcmp(call, "read") == 0 || strncmp(call, "pread", 5) == 0 || strcmp(call, "write") == 0;
  return moves || (error != kShort && error != EINTR);
}

// The error for this call, or 0.
static int Fault(const char* call, const char* path) {
  struct Control* c = Get();
  if (c == NULL || !__atomic_load_n(&c->armed, __ATOMIC_ACQUIRE) || !Below(path) || !Possible(call, c->error)) {
    return 0;
  }
  const int number = __atomic_add_fetch(&c->count, 1, __ATOMIC_ACQ_REL);
  if (number != c->nth && !(c->persistent && number > c->nth)) {
    return 0;
  }
  snprintf(c->last, sizeof c->last, "%s %s", call, path);
  __atomic_store_n(&c->fired, 1, __ATOMIC_RELEASE);
  return c->error;
}

static int FaultOfFd(const char* call, int fd) {
  struct Control* c = Get();
  if (c == NULL || !__atomic_load_n(&c->armed, __ATOMIC_ACQUIRE)) {
    return 0;
  }
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 1);
  if (size <= 0) {
    return 0;
  }
  path[size] = '\0';
  return Fault(call, path);
}

static int FaultAt(const char* call, int directory, const char* path) {
  if (path[0] == '/' || directory == AT_FDCWD) {
    return Fault(call, path);
  }
  return FaultOfFd(call, directory);
}

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, #name))
#define FAIL_IF(error, value)      \
  do {                             \
    const int fail_ = (error);     \
    if (fail_ > 0) {               \
      errno = fail_;               \
      return (value);              \
    }                              \
  } while (0)

#define OPEN(name)                                                               \
  int name(const char* path, int flags, ...) {                                   \
    va_list arguments;                                                           \
    va_start(arguments, flags);                                                  \
    const mode_t mode = va_arg(arguments, mode_t);                               \
    va_end(arguments);                                                           \
    FAIL_IF(Fault(#name, path), -1);                                             \
    return NEXT(name, int (*)(const char*, int, ...))(path, flags, mode);        \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                       \
  int name(int directory, const char* path, int flags, ...) {                              \
    va_list arguments;                                                                     \
    va_start(arguments, flags);                                                            \
    const mode_t mode = va_arg(arguments, mode_t);                                         \
    va_end(arguments);                                                                     \
    FAIL_IF(FaultAt(#name, directory, path), -1);                                          \
    return NEXT(name, int (*)(int, const char*, int, ...))(directory, path, flags, mode);  \
  }
OPENAT(openat)
OPENAT(openat64)

static size_t Shortened(int error, size_t size) { return error == kShort ? (size + 1) / 2 : size; }

ssize_t read(int fd, void* to, size_t size) {
  const int error = FaultOfFd("read", fd);
  FAIL_IF(error, -1);
  return NEXT(read, ssize_t(*)(int, void*, size_t))(fd, to, Shortened(error, size));
}

#define PREAD(name, offset_t)                                                                              \
  ssize_t name(int fd, void* to, size_t size, offset_t offset) {                                           \
    const int error = FaultOfFd(#name, fd);                                                                \
    FAIL_IF(error, -1);                                                                                    \
    return NEXT(name, ssize_t(*)(int, void*, size_t, offset_t))(fd, to, Shortened(error, size), offset);   \
  }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

ssize_t write(int fd, const void* from, size_t size) {
  const int error = FaultOfFd("write", fd);
  FAIL_IF(error, -1);
  return NEXT(write, ssize_t(*)(int, const void*, size_t))(fd, from, Shortened(error, size));
}

#define STAT(name, type)                                                 \
  int name(const char* path, struct type* to) {                          \
    FAIL_IF(Fault(#name, path), -1);                                     \
    return NEXT(name, int (*)(const char*, struct type*))(path, to);     \
  }
STAT(stat, stat)
STAT(lstat, stat)
STAT(stat64, stat64)
STAT(lstat64, stat64)

#define FSTAT(name, type)                                        \
  int name(int fd, struct type* to) {                            \
    FAIL_IF(FaultOfFd(#name, fd), -1);                           \
    return NEXT(name, int (*)(int, struct type*))(fd, to);       \
  }
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

#define FSTATAT(name, type)                                                                        \
  int name(int directory, const char* path, struct type* to, int flags) {                          \
    FAIL_IF(FaultAt(#name, directory, path), -1);                                                  \
    return NEXT(name, int (*)(int, const char*, struct type*, int))(directory, path, to, flags);   \
  }
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

int mkdir(const char* path, mode_t mode) {
  FAIL_IF(Fault("mkdir", path), -1);
  return NEXT(mkdir, int (*)(const char*, mode_t))(path, mode);
}

char* mkdtemp(char* template) {
  FAIL_IF(Fault("mkdtemp", template), NULL);
  return NEXT(mkdtemp, char* (*)(char*))(template);
}

DIR* opendir(const char* path) {
  FAIL_IF(Fault("opendir", path), NULL);
  return NEXT(opendir, DIR* (*)(const char*))(path);
}

DIR* fdopendir(int fd) {
  FAIL_IF(FaultOfFd("fdopendir", fd), NULL);
  return NEXT(fdopendir, DIR* (*)(int))(fd);
}

struct dirent* readdir(DIR* directory) {
  FAIL_IF(FaultOfFd("readdir", dirfd(directory)), NULL);
  return NEXT(readdir, struct dirent* (*)(DIR*))(directory);
}

struct dirent64* readdir64(DIR* directory) {
  FAIL_IF(FaultOfFd("readdir64", dirfd(directory)), NULL);
  return NEXT(readdir64, struct dirent64* (*)(DIR*))(directory);
}
