// The one place through which this folder's .cc files see protobuf and the configuration's
// messages.
//
// Protobuf's headers give their map fields another layout when the thread sanitizer compiles them,
// which the library that the system ships does not have. They are therefore read as if it did not;
// our code around them is still instrumented.
#ifndef HEADRACE_REPOSITORY_PROTOBUF_MESSAGES_H_
#define HEADRACE_REPOSITORY_PROTOBUF_MESSAGES_H_

// What protobuf would include from the standard library with the macro undefined.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
// Not ours to hide: libtritonserver.so takes protobuf's symbols from the shared library.
#pragma GCC visibility push(default)
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include "repository/model_config.pb.h"
#pragma GCC visibility pop
#pragma pop_macro("__SANITIZE_THREAD__")

#endif  // HEADRACE_REPOSITORY_PROTOBUF_MESSAGES_H_
