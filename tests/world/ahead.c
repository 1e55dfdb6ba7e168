/* A clock that is ahead of the machine's. Loaded into the program under test before the C library, whose calendar clock it
   stands in for; clocks that measure how long something takes are left alone. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
  int failed = (int)syscall(SYS_clock_gettime, clock, at);
  const char *ahead = getenv("AHEAD_SECONDS");
  if (!failed && clock == CLOCK_REALTIME && ahead) at->tv_sec += atol(ahead);
  return failed;
}
