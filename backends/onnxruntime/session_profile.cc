#include "onnxruntime/session_profile.h"

#include <stdlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "onnxruntime/node_work.h"

namespace headrace::backend {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::string_view kKernelSuffix = "_kernel_time";
constexpr std::int64_t kNanosOfMicrosecond = 1'000;

// A directory that nobody else can write to.
Error MakeDirectory(fs::path* directory) {
  std::error_code error;
  std::string name = (fs::temp_directory_path(error) / "headrace-profile-XXXXXX").string();
  if (error || mkdtemp(name.data()) == nullptr) {
    return Unavailable("no temporary directory can be made for the runtime's profiler; set TMPDIR");
  }
  *directory = name;
  return {};
}

std::string Text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t Number(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : 0;
}

// The runtime writes sizes as text.
std::uint64_t ByteSize(const Json& object, const char* key) {
  const std::string text = Text(object, key);
  std::uint64_t size = 0;
  std::from_chars(text.data(), text.data() + text.size(), size);
  return size;
}

// As [{"float": [1, 3]}, ...]. What does not read has no known size.
std::vector<OperatorTensor> Tensors(const Json& arguments, const char* key) {
  std::vector<OperatorTensor> tensors;
  const auto found = arguments.find(key);
  if (found == arguments.end() || !found->is_array()) {
    return tensors;
  }
  for (const Json& described : *found) {
    OperatorTensor& tensor = tensors.emplace_back();
    if (!described.is_object() || described.size() != 1 || !described.begin()->is_array()) {
      continue;
    }
    tensor.element_byte_size = ElementByteSizeOf(described.begin().key());
    for (const Json& dim : *described.begin()) {
      tensor.dims.push_back(dim.is_number_integer() ? dim.get<std::int64_t>() : -1);
    }
  }
  return tensors;
}

bool AddNode(const Json& event, std::int64_t start_ns, bool shapes, OperatorProfile* profile) {
  std::string name = Text(event, "name");
  const auto arguments = event.find("args");
  if (Text(event, "cat") != "Node" || !name.ends_with(kKernelSuffix) || arguments == event.end()) {
    return true;
  }
  name.resize(name.size() - kKernelSuffix.size());
  const auto types = arguments->find("input_type_shape");
  return profile->Add(
      {.name = std::move(name),
       .kind = Text(*arguments, "op_name"),
       .start_ns = start_ns + Number(event, "ts") * kNanosOfMicrosecond,
       .duration_ns = Number(event, "dur") * kNanosOfMicrosecond,
       .thread = Number(event, "tid"),
       .shapes = shapes && types != arguments->end() ? types->dump() : "",
       .work = WorkOfNode(Text(*arguments, "op_name"), Tensors(*arguments, "input_type_shape"),
                          Tensors(*arguments, "output_type_shape")),
       .byte_size = ByteSize(*arguments, "output_size"),
       .on_device = Text(*arguments, "provider").starts_with("CUDA")});
}

}  // namespace

void AddTraceEvents(std::string_view json, std::int64_t start_ns, bool shapes,
                    OperatorProfile* profile) {
  const Json events = Json::parse(json, nullptr, false);
  if (!events.is_array()) {
    profile->note = "the runtime's profile does not read as JSON";
    return;
  }
  for (const Json& event : events) {
    if (event.is_object() && !AddNode(event, start_ns, shapes, profile)) {
      return;
    }
  }
}

Error SessionProfile::Start(const ProfileOptions& options,
                            std::shared_ptr<SessionProfile>* profile) {
  fs::path directory;
  HEADRACE_BACKEND_RETURN_IF_ERROR(MakeDirectory(&directory));
  profile->reset(new SessionProfile(std::move(directory), options.shapes));
  return {};
}

SessionProfile::~SessionProfile() {
  sessions_.clear();  // the runtime writes what it has when a session ends
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

Error SessionProfile::FindSession(const OnnxFiles& files, const SessionSettings& settings,
                                  const SessionDevice& device,
                                  std::shared_ptr<OnnxSession>* session) {
  const std::lock_guard lock(mutex_);
  if (ended_) {
    return Unavailable("the profile has ended");
  }
  const ThreadCounts& threads =
      settings.global_pool.has_value() ? *settings.global_pool : settings.threads;
  threads_ = std::max(threads_, static_cast<int>(threads.intra_op));
  std::shared_ptr<OnnxSession>& known = sessions_[device];
  if (known == nullptr) {
    const std::string prefix = (directory_ / std::to_string(sessions_.size())).string();
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        OnnxSession::LoadRecording(files, settings, device, prefix, &known));
  }
  *session = known;
  return {};
}

Error SessionProfile::Finish(OperatorProfile* profile) {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  const std::int64_t offset = WallMinusMonotonic();
  profile->runtime = "ONNX Runtime " + std::string(OrtGetApiBase()->GetVersionString());
  for (const auto& [device, session] : sessions_) {
    if (session == nullptr) {
      continue;  // it could not be loaded
    }
    const auto start = static_cast<std::int64_t>(session->session().GetProfilingStartTimeNs());
    const Ort::AllocatorWithDefaultOptions allocator;
    const auto path = session->session().EndProfilingAllocated(allocator);
    std::ifstream file(path.get(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    AddTraceEvents(text, start - offset, shapes_, profile);
  }
  profile->threads = threads_;
  profile->memory_note = "sizes of the operators' outputs, which share the session's memory";
  if (sessions_.empty()) {
    profile->note = "no batch was executed while the model was profiled";
  }
  sessions_.clear();
  return {};
}

}  // namespace headrace::backend
