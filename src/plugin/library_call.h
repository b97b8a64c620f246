// Calls into a library that we did not write: a backend, a cache, an agent.
#ifndef HEADRACE_PLUGIN_LIBRARY_CALL_H_
#define HEADRACE_PLUGIN_LIBRARY_CALL_H_

#include <exception>

#include "base/status.h"
#include "plugin/values.h"

namespace headrace::plugin {

// Calls `function`, which may be null where the library need not export it: nothing is done then.
// The error that it returns becomes a status and is deleted; what it throws becomes INTERNAL, with
// `name` for the function.
template <typename Function, typename... Args>
Status CallLibrary(const char* name, Function function, Args... args) {
  if (function == nullptr) {
    return OkStatus();
  }
  try {
    return TakeTriton(function(args...));
  } catch (const std::exception& exception) {
    return Internal("{} threw: {}", name, exception.what());
  } catch (...) {
    return Internal("{} threw something that is no std::exception", name);
  }
}

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_LIBRARY_CALL_H_
