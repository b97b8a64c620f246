#include "plugin/packed_response.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/checked_math.h"
#include "tensor/bytes_codec.h"
#include "tensor/dtype.h"

namespace headrace::plugin {
namespace {

constexpr std::uint64_t kMagic = 0x3130636172644857;  // changes with the layout
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHeaderByteSize = 4 * sizeof(std::uint64_t);

std::size_t Aligned(std::size_t byte_size) {
  return (byte_size + kAlignment - 1) / kAlignment * kAlignment;
}

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutText(std::string& out, std::string_view text) {
  Put(out, std::uint64_t{text.size()});
  out.append(text);
}

void PutParameter(std::string& out, const Parameter& parameter) {
  PutText(out, parameter.name);
  Put(out, static_cast<std::uint8_t>(parameter.value.index()));
  std::visit(
      [&out](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
          PutText(out, value);
        } else {
          Put(out, value);
        }
      },
      parameter.value);
}

// Reads the table. After the first thing that is not there, everything is empty and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Get() {
    T value{};
    const std::string_view bytes = Take(sizeof(value));
    if (!bytes.empty()) {
      std::memcpy(&value, bytes.data(), sizeof(value));
    }
    return value;
  }
  bool GetBool() { return Get<std::uint8_t>() != 0; }
  std::string GetText() { return std::string(Take(Get<std::uint64_t>())); }
  bool ok() const { return ok_; }
  std::size_t rest() const { return rest_.size(); }

 private:
  std::string_view Take(std::uint64_t byte_size) {
    if (!ok_ || byte_size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, byte_size);
    rest_.remove_prefix(byte_size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

std::optional<Parameter> GetParameter(Reader& reader) {
  Parameter parameter{.name = reader.GetText(), .value = {}};
  switch (reader.Get<std::uint8_t>()) {
    case 0:
      parameter.value = reader.GetText();
      break;
    case 1:
      parameter.value = reader.Get<std::int64_t>();
      break;
    case 2:
      parameter.value = reader.GetBool();
      break;
    case 3:
      parameter.value = reader.Get<double>();
      break;
    default:
      return std::nullopt;
  }
  return reader.ok() ? std::optional(std::move(parameter)) : std::nullopt;
}

bool HasItsSize(const Tensor& tensor) {
  const auto count = tensor.shape.ElementCount();
  if (!count) {
    return false;
  }
  if (tensor.dtype == DataType::kBytes) {
    return ValidateBytesTensor(tensor, *count, "", "").ok();
  }
  const auto byte_size =
      CheckedMultiply(*count, static_cast<std::int64_t>(DataTypeByteSize(tensor.dtype)));
  return byte_size && static_cast<std::uint64_t>(*byte_size) == tensor.byte_size();
}

// The output that the table names next; its bytes begin at `offset`, which moves behind them.
std::optional<NamedTensor> GetOutput(Reader& reader, const Buffer& packed, std::size_t& offset) {
  NamedTensor output{.name = reader.GetText(), .tensor = {}};
  const auto dtype = reader.Get<std::uint8_t>();
  const auto rank = reader.Get<std::uint8_t>();
  if (dtype < static_cast<std::uint8_t>(DataType::kBool) ||
      dtype > static_cast<std::uint8_t>(DataType::kBf16) || rank > Shape::kRankMax) {
    return std::nullopt;
  }
  output.tensor.dtype = static_cast<DataType>(dtype);
  for (std::size_t i = 0; i < rank; ++i) {
    output.tensor.shape.Append(reader.Get<std::int64_t>());
  }
  const auto byte_size = reader.Get<std::uint64_t>();
  if (!reader.ok() || offset > packed.size() || byte_size > packed.size() - offset) {
    return std::nullopt;
  }
  output.tensor.data = packed.Slice(offset, byte_size);
  offset += Aligned(byte_size);
  return HasItsSize(output.tensor) ? std::optional(std::move(output)) : std::nullopt;
}

}  // namespace

ResponsePacker::ResponsePacker(const engine::InferResponse& response) : response_(response) {
  std::string entries;
  std::size_t payload = 0;
  for (const NamedTensor& output : response.outputs) {
    const Tensor& tensor = output.tensor;
    PutText(entries, output.name);
    Put(entries, static_cast<std::uint8_t>(tensor.dtype));
    Put(entries, static_cast<std::uint8_t>(tensor.shape.rank()));
    for (const std::int64_t dim : tensor.shape) {
      Put(entries, dim);
    }
    Put(entries, std::uint64_t{tensor.byte_size()});
    payload += Aligned(tensor.byte_size());
  }
  for (const Parameter& parameter : response.parameters) {
    PutParameter(entries, parameter);
  }
  Put(table_, kMagic);
  Put(table_, std::uint64_t{kHeaderByteSize + entries.size()});
  Put(table_, std::uint64_t{response.outputs.size()});
  Put(table_, std::uint64_t{response.parameters.size()});
  table_ += entries;
  byte_size_ = Aligned(table_.size()) + payload;
}

void ResponsePacker::WriteTo(std::byte* out) const {
  std::byte* const end = out + byte_size_;
  const auto pad = [&](std::size_t written) {
    std::memset(out + written, 0, Aligned(written) - written);
    out += Aligned(written);
  };
  std::memcpy(out, table_.data(), table_.size());
  pad(table_.size());
  for (const NamedTensor& output : response_.outputs) {
    std::size_t written = 0;
    for (std::size_t i = 0; i < output.tensor.fragment_count(); ++i) {
      const Buffer& fragment = output.tensor.fragment(i);
      if (!fragment.empty()) {
        std::memcpy(out + written, fragment.data(), fragment.size());
        written += fragment.size();
      }
    }
    pad(written);
  }
  HEADRACE_CHECK(out == end);
}

Result<engine::InferResponse> UnpackResponse(const Buffer& packed) {
  const Status wrong = InvalidArgument("what the cache gave back is no response");
  Reader header(packed.view());
  const auto magic = header.Get<std::uint64_t>();
  const auto table_byte_size = header.Get<std::uint64_t>();
  const auto output_count = header.Get<std::uint64_t>();
  const auto parameter_count = header.Get<std::uint64_t>();
  if (!header.ok() || magic != kMagic || table_byte_size < kHeaderByteSize ||
      table_byte_size > packed.size()) {
    return wrong;
  }
  Reader table(packed.view().substr(kHeaderByteSize, table_byte_size - kHeaderByteSize));
  std::size_t offset = Aligned(table_byte_size);
  engine::InferResponse response;
  // The table bounds both loops: an entry takes at least one byte of it.
  for (std::uint64_t i = 0; i < output_count; ++i) {
    auto output = GetOutput(table, packed, offset);
    if (!output) {
      return wrong;
    }
    response.outputs.push_back(*std::move(output));
  }
  for (std::uint64_t i = 0; i < parameter_count; ++i) {
    auto parameter = GetParameter(table);
    if (!parameter) {
      return wrong;
    }
    response.parameters.push_back(*std::move(parameter));
  }
  if (table.rest() != 0 || offset != packed.size()) {
    return wrong;
  }
  return response;
}

}  // namespace headrace::plugin
