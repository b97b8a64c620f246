#include "tensor/dtype.h"

#include <array>

namespace headrace {
namespace {

struct Entry {
  std::string_view name;
  std::size_t byte_size;
};

constexpr std::array<Entry, 15> kEntries = {{{"<invalid>", 0},
                                             {"BOOL", 1},
                                             {"UINT8", 1},
                                             {"UINT16", 2},
                                             {"UINT32", 4},
                                             {"UINT64", 8},
                                             {"INT8", 1},
                                             {"INT16", 2},
                                             {"INT32", 4},
                                             {"INT64", 8},
                                             {"FP16", 2},
                                             {"FP32", 4},
                                             {"FP64", 8},
                                             {"BYTES", 0},
                                             {"BF16", 2}}};

const Entry& EntryOf(DataType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  return kEntries[index < kEntries.size() ? index : 0];
}

}  // namespace

std::size_t DataTypeByteSize(DataType dtype) { return EntryOf(dtype).byte_size; }

std::string_view DataTypeName(DataType dtype) { return EntryOf(dtype).name; }

DataType DataTypeFromName(std::string_view name) {
  for (std::size_t i = 1; i < kEntries.size(); ++i) {
    if (kEntries[i].name == name) {
      return static_cast<DataType>(i);
    }
  }
  return DataType::kInvalid;
}

}  // namespace headrace
