// Writes small ONNX files, right ones and wrong ones, field by field.
#ifndef HEADRACE_BACKENDS_COMMON_TESTING_ONNX_WRITER_H_
#define HEADRACE_BACKENDS_COMMON_TESTING_ONNX_WRITER_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::backend::testing {

inline std::string Varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) {
    bytes += static_cast<char>((value & 127) | 128);
  }
  return bytes + static_cast<char>(value);
}

// A field of a protobuf message: a number, or bytes (text, a message).
inline std::string Number(std::uint32_t field, std::uint64_t value) {
  return Varint(field << 3) + Varint(value);
}
inline std::string Bytes(std::uint32_t field, std::string_view bytes) {
  return Varint(field << 3 | 2) + Varint(bytes.size()) + std::string(bytes);
}

// Fields as onnx.proto numbers them.
inline std::string TensorType(std::string_view name, std::int64_t columns) {
  const std::string rows = Bytes(1, Bytes(2, "n"));
  const std::string shape = rows + Bytes(1, Number(1, static_cast<std::uint64_t>(columns)));
  return Bytes(1, name) + Bytes(2, Bytes(1, Number(1, 1) + Bytes(2, shape)));
}
inline std::string Model(const std::string& graph) {
  return Number(1, 8) + Bytes(7, graph) + Bytes(8, Number(2, 13));
}
// SUM = A + B, both FP32 [n, columns].
inline std::string AddModel(std::int64_t columns) {
  const std::string node = Bytes(1, "A") + Bytes(1, "B") + Bytes(2, "SUM") + Bytes(4, "Add");
  return Model(Bytes(1, node) + Bytes(2, "graph") + Bytes(11, TensorType("A", columns)) +
               Bytes(11, TensorType("B", columns)) + Bytes(12, TensorType("SUM", columns)));
}
// A graph of one tensor whose data lie in a file. Empty texts are left out.
inline std::string ExternalTensor(std::string_view location, std::string_view offset,
                                  std::string_view length) {
  std::string tensor = Bytes(8, "W") + Number(14, 1);
  const auto entry = [&](std::string_view key, std::string_view value) {
    if (!value.empty()) {
      tensor += Bytes(13, Bytes(1, key) + Bytes(2, value));
    }
  };
  entry("location", location);
  entry("offset", offset);
  entry("length", length);
  return tensor;
}

}  // namespace headrace::backend::testing

#endif  // HEADRACE_BACKENDS_COMMON_TESTING_ONNX_WRITER_H_
