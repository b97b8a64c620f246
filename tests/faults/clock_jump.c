// Moves the wall clock of the program under test, and not its monotonic clock: preloaded.
//
// HEADRACE_CLOCK_JUMP names a file that the test maps, too (tests/harness/clock_jump.py): one int64, the seconds that
// the wall clock is ahead.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t Ahead(void) {
  static volatile int64_t* seconds;
  static int tried;
  if (!tried) {
    tried = 1;
    const char* path = getenv("HEADRACE_CLOCK_JUMP");
    const int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
      void* memory = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
      seconds = memory == MAP_FAILED ? NULL : memory;
      close(file);
    }
  }
  return seconds == NULL ? 0 : *seconds;
}

static int IsWallClock(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int result = (int)syscall(SYS_clock_gettime, clock, now);
  if (result == 0 && IsWallClock(clock)) {
    now->tv_sec += Ahead();
  }
  return result;
}

int gettimeofday(struct timeval* now, void* zone) {
  struct timespec precise;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec;
  now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) {
    *out = now.tv_sec;
  }
  return now.tv_sec;
}
