#include "load/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/unique_fd.h"

namespace headrace::load {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t Aligned(std::size_t byte_size) {
  return (byte_size + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

// Memory with a name in /dev/shm, mapped here until it is filled.
class SharedMemory::Region {
 public:
  explicit Region(std::string name) : name_(std::move(name)), key_("/" + name_) {}
  ~Region() {
    Unlink();
    Unmap();
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  Status Create(std::size_t byte_size) {
    const UniqueFd fd(::shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd) {
      return ResourceExhausted("cannot make shared memory '{}': {}", key_, std::strerror(errno));
    }
    linked_ = true;
    // Pages that there are none for would be a SIGBUS later, here or in the server.
    if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(byte_size));
        error != 0) {
      return ResourceExhausted("no room for {} bytes of shared memory in /dev/shm: {}", byte_size,
                               std::strerror(error));
    }
    void* const data = ::mmap(nullptr, byte_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (data == MAP_FAILED) {
      return ResourceExhausted("cannot map {} bytes of shared memory: {}", byte_size,
                               std::strerror(errno));
    }
    data_ = static_cast<char*>(data);
    byte_size_ = byte_size;
    return OkStatus();
  }
  Status RegisterWith(RegionRegistrar& registrar) {
    HEADRACE_RETURN_IF_ERROR(registrar.Register(name_, key_, byte_size_));
    registered_ = true;
    Unlink();
    Unmap();
    return OkStatus();
  }
  void UnregisterFrom(RegionRegistrar& registrar) {
    if (std::exchange(registered_, false)) {
      if (const Status status = registrar.Unregister(name_); !status.ok()) {
        HEADRACE_LOG_WARNING("shared memory region '{}' is still registered: {}", name_,
                             status.message());
      }
    }
  }
  const std::string& name() const { return name_; }
  char* data() { return data_; }

 private:
  void Unlink() {
    if (std::exchange(linked_, false)) {
      ::shm_unlink(key_.c_str());
    }
  }
  void Unmap() {
    if (data_ != nullptr) {
      ::munmap(std::exchange(data_, nullptr), byte_size_);
    }
  }

  const std::string name_, key_;
  bool linked_ = false, registered_ = false;
  char* data_ = nullptr;
  std::size_t byte_size_ = 0;
};

SharedMemory::SharedMemory() = default;

SharedMemory::~SharedMemory() {
  for (const auto& region : regions_) {
    region->UnregisterFrom(*registrar_);
  }
}

Result<std::unique_ptr<SharedMemory>> SharedMemory::Create(
    const Workload& workload, std::size_t output_byte_size,
    std::unique_ptr<RegionRegistrar> registrar) {
  std::unique_ptr<SharedMemory> memory(new SharedMemory);
  memory->registrar_ = std::move(registrar);
  // Numbers of processes come again; the time does not.
  const std::string name = fmt::format("headrace_bench_{}_{:x}", ::getpid(), Clock::Real().Now());

  // Inputs: where each is to lie, then the bytes.
  std::map<const std::string*, std::size_t> offsets;
  std::size_t input_byte_size = 0;
  const std::string input_name = name + "_in", output_name = name + "_out";
  std::size_t output_offset = 0;
  for (const Item& item : workload.items) {
    auto& contents = memory->inputs_.emplace_back();
    for (const Content& content : item.contents) {
      auto& inputs = contents.emplace_back();
      if (content.golden && !item.outputs.empty()) {
        return InvalidArgument(
            "item '{}': outputs are compared, and those in shared memory cannot be (requests share "
            "their room): leave out the names of outputs, so that they come back in the answers, "
            "or "
            "--no-compare",
            item.name);
      }
      for (const TensorContent& input : content.inputs) {
        if (input.bytes == nullptr) {
          return InvalidArgument("item '{}': input '{}' has no data", item.name, input.name);
        }
        const auto [at, is_new] = offsets.try_emplace(input.bytes.get(), input_byte_size);
        input_byte_size += is_new ? Aligned(input.bytes->size()) : 0;
        inputs.push_back({input_name, at->second, input.bytes->size()});
      }
    }
    auto& outputs = memory->outputs_.emplace_back();
    for (std::size_t i = 0; i < item.outputs.size(); ++i) {
      outputs.push_back({output_name, output_offset, output_byte_size});
      output_offset += Aligned(output_byte_size);
    }
  }
  if (input_byte_size > 0) {
    Region& region = *memory->regions_.emplace_back(std::make_unique<Region>(input_name));
    HEADRACE_RETURN_IF_ERROR(region.Create(input_byte_size));
    for (const auto& [bytes, offset] : offsets) {
      std::memcpy(region.data() + offset, bytes->data(), bytes->size());
    }
    HEADRACE_RETURN_IF_ERROR(region.RegisterWith(*memory->registrar_));
  }
  if (output_offset > 0) {
    Region& region = *memory->regions_.emplace_back(std::make_unique<Region>(output_name));
    HEADRACE_RETURN_IF_ERROR(region.Create(output_offset));
    HEADRACE_RETURN_IF_ERROR(region.RegisterWith(*memory->registrar_));
  }
  return memory;
}

}  // namespace headrace::load
