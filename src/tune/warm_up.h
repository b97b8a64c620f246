// What is sent before anything is measured.
#ifndef HEADRACE_TUNE_WARM_UP_H_
#define HEADRACE_TUNE_WARM_UP_H_

#include "base/clock.h"
#include "base/status.h"
#include "bench/level.h"
#include "bench/session.h"

namespace headrace::tune {

// The first executions of a model are not like the later ones, and would be what is measured:
// TorchScript profiles two and compiles at the third, for each size of batch; thread pools, packed
// weights and memory come with the first ones, too. So `concurrency` requests at a time, each a few
// times over, and that again until it is no longer faster than before or `time` is over (once at
// least, and ten seconds at most). `like`: drain and seed. Blocks.
Status WarmUp(bench::Session& session, const bench::LevelSpec& like, int concurrency, Nanos time);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_WARM_UP_H_
