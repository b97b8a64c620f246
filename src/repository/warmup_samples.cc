#include "repository/warmup_samples.h"

#include <algorithm>
#include <map>
#include <random>
#include <span>
#include <utility>

#include "base/checked_math.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"
#include "tensor/bytes_codec.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace headrace::repository {
namespace {

using Input = inference::ModelWarmup::Input;
using Random = std::mt19937_64;

constexpr std::size_t kRandomStringByteSize = 8;

template <typename T>
std::string RandomElements(std::size_t count, Random& random) {
  std::uniform_real_distribution<T> distribution(0, 1);
  std::string bytes;
  bytes.reserve(count * sizeof(T));
  for (std::size_t i = 0; i < count; ++i) {
    const T value = distribution(random);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  return bytes;
}

std::string RandomStrings(std::size_t count, Random& random) {
  std::uniform_int_distribution<int> letter('a', 'z');
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    std::string element;
    for (std::size_t k = 0; k < kRandomStringByteSize; ++k) {
      element.push_back(static_cast<char>(letter(random)));
    }
    AppendBytesElement(bytes, element);
  }
  return bytes;
}

// Values that every type allows: of floating-point numbers those in [0, 1).
std::string RandomData(DataType dtype, std::size_t count, Random& random) {
  switch (dtype) {
    case DataType::kFp32:
      return RandomElements<float>(count, random);
    case DataType::kFp64:
      return RandomElements<double>(count, random);
    case DataType::kBytes:
      return RandomStrings(count, random);
    default:
      break;
  }
  std::string bytes(count * DataTypeByteSize(dtype), '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random());
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (dtype == DataType::kBool) {
      bytes[i] = static_cast<char>(bytes[i] & 1);
    } else if ((dtype == DataType::kFp16 || dtype == DataType::kBf16) && i % 2 == 1) {
      // 0x3b.. is below 1 for FP16, 0x3f.. below 2 for BF16.
      bytes[i] = dtype == DataType::kFp16 ? static_cast<char>(bytes[i] & 0x3b) : '\x3e';
    }
  }
  return bytes;
}

// A data file's bytes: as many as the tensor takes, or all of it for BYTES.
Result<std::string> FileData(const std::string& path, DataType dtype, std::size_t byte_size) {
  HEADRACE_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kWarmupInputByteSizeMax));
  if (dtype == DataType::kBytes) {
    return bytes;
  }
  if (bytes.size() < byte_size) {
    return InvalidArgument("warmup setting expects {} bytes, but the data file has {}", byte_size,
                           bytes.size());
  }
  bytes.resize(byte_size);
  return bytes;
}

class Builder {
 public:
  Builder(const inference::ModelConfig& config, std::string root, std::string model_directory)
      : config_(config), root_(std::move(root)), model_directory_(std::move(model_directory)) {}

  Result<engine::WarmupSample> Build(const inference::ModelWarmup& from) {
    engine::WarmupSample sample;
    sample.name = from.name();
    sample.count = std::max<std::uint32_t>(1, from.count());
    sample.request_count = from.batch_size();
    if (sample.count > kWarmupCountMax) {
      return InvalidArgument("'count' must be at most {}", kWarmupCountMax);
    }
    const int batch_size_max = std::max(1, config_.max_batch_size());
    if (from.batch_size() > static_cast<std::uint32_t>(batch_size_max)) {
      return InvalidArgument("'batch_size' {} is larger than the {} that model '{}' takes",
                             from.batch_size(), batch_size_max, config_.name());
    }
    // By name: what a protobuf map gives has no order of its own.
    for (const auto& [name, input] :
         std::map<std::string, Input>(from.inputs().begin(), from.inputs().end())) {
      auto tensor = BuildTensor(name, input);
      if (!tensor.ok()) {
        return tensor.status().WithPrefix(fmt::format("input '{}': ", name));
      }
      sample.inputs.push_back({.name = name, .tensor = *std::move(tensor)});
    }
    return sample;
  }

 private:
  Result<Tensor> BuildTensor(const std::string& name, const Input& input) {
    Tensor tensor;
    tensor.dtype = static_cast<DataType>(input.data_type());  // the numbers are the same
    if (tensor.dtype == DataType::kInvalid) {
      return InvalidArgument("must specify 'data_type'");
    }
    for (const std::int64_t dim : input.dims()) {
      if (dim < 0) {
        return InvalidArgument(
            "warmup setting expects all variable-size dimensions are specified for input '{}'",
            name);
      }
    }
    if (input.dims_size() >= static_cast<int>(Shape::kRankMax)) {
      return InvalidArgument("'dims' has more than {} dimensions", Shape::kRankMax - 1);
    }
    tensor.shape = Shape(std::span<const std::int64_t>(
        input.dims().data(), static_cast<std::size_t>(input.dims_size())));
    if (config_.max_batch_size() > 0) {
      tensor.shape = tensor.shape.Prepend(1);
    }
    const auto count = tensor.shape.ElementCount();
    const std::size_t element_byte_size = tensor.dtype == DataType::kBytes
                                              ? sizeof(std::uint32_t) + kRandomStringByteSize
                                              : DataTypeByteSize(tensor.dtype);
    const auto byte_size =
        count ? CheckedMultiply(static_cast<std::size_t>(*count), element_byte_size) : std::nullopt;
    if (!byte_size || *byte_size > kWarmupInputByteSizeMax) {
      return InvalidArgument("'dims' asks for more than {} bytes", kWarmupInputByteSizeMax);
    }
    HEADRACE_ASSIGN_OR_RETURN(
        std::string bytes, Data(input, tensor.dtype, static_cast<std::size_t>(*count), *byte_size));
    tensor.data = Buffer::FromString(std::move(bytes));
    return tensor;
  }

  Result<std::string> Data(const Input& input, DataType dtype, std::size_t count,
                           std::size_t byte_size) {
    if (!input.input_data_file().empty()) {
      HEADRACE_ASSIGN_OR_RETURN(
          const std::string path,
          ResolveInside(root_, model_directory_ + "/warmup", input.input_data_file()));
      return FileData(path, dtype, byte_size);
    }
    if (input.random_data()) {
      return RandomData(dtype, count, random_);
    }
    if (input.zero_data()) {
      // Empty strings are their lengths alone.
      return std::string(dtype == DataType::kBytes ? count * sizeof(std::uint32_t) : byte_size,
                         '\0');
    }
    return InvalidArgument("must specify 'zero_data', 'random_data' or 'input_data_file'");
  }

  const inference::ModelConfig& config_;
  const std::string root_, model_directory_;
  Random random_{1};
};

}  // namespace

Result<std::vector<engine::WarmupSample>> BuildWarmup(const inference::ModelConfig& config,
                                                      const std::string& root,
                                                      const std::string& model_directory) {
  std::vector<engine::WarmupSample> samples;
  Builder builder(config, root, model_directory);
  for (const auto& from : config.model_warmup()) {
    if (from.batch_size() == 0) {
      continue;
    }
    auto sample = builder.Build(from);
    if (!sample.ok()) {
      return sample.status().WithPrefix(fmt::format("warmup sample '{}': ", from.name()));
    }
    samples.push_back(*std::move(sample));
  }
  return samples;
}

}  // namespace headrace::repository
