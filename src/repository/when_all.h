// One end for several operations that end by a call.
#ifndef HEADRACE_REPOSITORY_WHEN_ALL_H_
#define HEADRACE_REPOSITORY_WHEN_ALL_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace headrace::repository {

// What `count` others call when they are done; `done` then, and at once for none.
inline std::function<void()> WhenAll(std::size_t count, std::function<void()> done) {
  if (count == 0) {
    done();
    return nullptr;
  }
  auto left = std::make_shared<std::atomic<std::size_t>>(count);
  return [left, done = std::move(done)] {
    if (left->fetch_sub(1) == 1) {
      done();
    }
  };
}

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_WHEN_ALL_H_
