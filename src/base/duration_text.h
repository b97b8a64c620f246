// Durations for people.
#ifndef HEADRACE_BASE_DURATION_TEXT_H_
#define HEADRACE_BASE_DURATION_TEXT_H_

#include <string>

#include "base/clock.h"

namespace headrace {

// "12.3 ms", "850 us", "1.20 s": so many digits of which none says nothing (whole units have all
// theirs: "12346 s"), in the largest unit of which there is one. "never" for what is not finite,
// and from kNever on.
std::string DurationText(double nanoseconds, int digits = 3);
std::string DurationText(Nanos time, int digits = 3);

}  // namespace headrace

#endif  // HEADRACE_BASE_DURATION_TEXT_H_
