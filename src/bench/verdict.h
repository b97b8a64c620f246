// What a level's figures are worth.
#ifndef HEADRACE_BENCH_VERDICT_H_
#define HEADRACE_BENCH_VERDICT_H_

#include <string>

#include "base/duration_text.h"
#include "bench/level.h"

namespace headrace::bench {

// Pure over a level whose other fields are filled in. Each line says what was seen, with figures,
// and what to do.
Verdict Judge(const LevelResult& level);

// "1,234,567", "842", "12.5": for rates and counts.
std::string NumberText(double value);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_VERDICT_H_
