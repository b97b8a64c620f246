#include "pytorch/tensors.h"

#include <ATen/ops/from_blob.h>
#include <c10/util/Exception.h>

#include <new>
#include <string_view>

#include "common/log.h"

namespace headrace::backend {
namespace {

struct TypePair {
  at::ScalarType torch;
  TRITONSERVER_DataType triton;
};
constexpr TypePair kTypes[] = {
    {at::kBool, TRITONSERVER_TYPE_BOOL},     {at::kByte, TRITONSERVER_TYPE_UINT8},
    {at::kUInt16, TRITONSERVER_TYPE_UINT16}, {at::kUInt32, TRITONSERVER_TYPE_UINT32},
    {at::kUInt64, TRITONSERVER_TYPE_UINT64}, {at::kChar, TRITONSERVER_TYPE_INT8},
    {at::kShort, TRITONSERVER_TYPE_INT16},   {at::kInt, TRITONSERVER_TYPE_INT32},
    {at::kLong, TRITONSERVER_TYPE_INT64},    {at::kHalf, TRITONSERVER_TYPE_FP16},
    {at::kFloat, TRITONSERVER_TYPE_FP32},    {at::kDouble, TRITONSERVER_TYPE_FP64},
    {at::kBFloat16, TRITONSERVER_TYPE_BF16},
};

// The interpreter's text ends with the line that says what is wrong; before it stands where.
std::string_view LastLine(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  const std::size_t line = text.rfind('\n');
  return line == std::string_view::npos ? text : text.substr(line + 1);
}

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

Error Failed(const char* what, std::string_view reason, const char* full) {
  HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_VERBOSE, "{}: {}", what, full);
  return Internal("{}: {}", what, reason);
}

}  // namespace

TRITONSERVER_DataType DataTypeFromTorch(at::ScalarType type) {
  for (const TypePair& pair : kTypes) {
    if (pair.torch == type) {
      return pair.triton;
    }
  }
  return TRITONSERVER_TYPE_INVALID;
}

std::optional<at::ScalarType> TorchFromDataType(TRITONSERVER_DataType dtype) {
  for (const TypePair& pair : kTypes) {
    if (pair.triton == dtype) {
      return pair.torch;
    }
  }
  return std::nullopt;
}

at::Tensor TensorOver(const void* data, std::span<const std::int64_t> shape, at::ScalarType type,
                      c10::Device device) {
  // An empty tensor may have no memory at all, of which PyTorch cannot tell the device.
  return at::from_blob(const_cast<void*>(data), at::IntArrayRef(shape.data(), shape.size()),
                       at::TensorOptions().dtype(type).device(device));
}

Error GuardedTorch(const char* what, const std::function<Error()>& body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    return Failed(what, FirstLine(error.what_without_backtrace()), error.what());
  } catch (const std::bad_alloc&) {
    return Unavailable("{}: out of memory", what);
  } catch (const std::exception& error) {
    return Failed(what, LastLine(error.what()), error.what());
  } catch (...) {
    return Internal("{}: unknown exception", what);
  }
}

}  // namespace headrace::backend
