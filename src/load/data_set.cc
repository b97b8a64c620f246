#include "load/data_set.h"

#include <utility>

#include "load/element_bytes.h"

namespace headrace::load {
namespace {

std::string Wanted(const TensorSignature& tensor, std::int64_t count) {
  const std::size_t element = DataTypeByteSize(tensor.data_type);
  return element == 0 ? fmt::format("{} elements", count)
                      : fmt::format("{} elements ({} bytes)", count,
                                    static_cast<std::uint64_t>(count) * element);
}

// The elements in `bytes`, or why it holds none.
Result<std::size_t> Count(const TensorSignature& tensor, const std::string& bytes,
                          const std::string& where) {
  const auto count = CountElements(tensor.data_type, bytes);
  if (!count) {
    return tensor.data_type == DataType::kBytes
               ? InvalidArgument(
                     "{}: these {} bytes are no packed BYTES elements (a 4-byte length in front of "
                     "each)",
                     where, bytes.size())
               : InvalidArgument("{}: {} bytes are no whole number of {} elements of {} bytes",
                                 where, bytes.size(), DataTypeName(tensor.data_type),
                                 DataTypeByteSize(tensor.data_type));
  }
  return *count;
}

Result<Row> RowOf(std::string bytes, std::vector<std::int64_t> dims, bool dims_known) {
  return Row{std::move(dims), dims_known, std::make_shared<const std::string>(std::move(bytes))};
}

}  // namespace

void DataSet::Append(DataSet more) {
  const auto offset = static_cast<std::uint32_t>(steps.size());
  // Data without streams beside data with streams is one more stream.
  const auto whole = [](const DataSet& set) {
    return Stream{0, static_cast<std::uint32_t>(set.steps.size())};
  };
  if (streams.empty() && !more.streams.empty() && !steps.empty()) {
    streams.push_back(whole(*this));
  }
  if (more.streams.empty() && !streams.empty() && !more.steps.empty()) {
    more.streams.push_back(whole(more));
  }
  for (const Stream& stream : more.streams) {
    streams.push_back({stream.begin + offset, stream.end + offset});
  }
  std::move(more.steps.begin(), more.steps.end(), std::back_inserter(steps));
}

Result<Row> MakeRow(const TensorSignature& tensor, std::string bytes,
                    const std::optional<std::vector<std::int64_t>>& dims,
                    const std::string& where) {
  if (dims && !Fits(*dims, tensor.dims)) {
    return InvalidArgument("{}: the shape {} does not fit {} (without the batch dimension)", where,
                           DimsText(*dims), DimsText(tensor.dims));
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::size_t count, Count(tensor, bytes, where));
  std::vector<std::int64_t> known;
  if (dims) {
    known = *dims;
  } else {
    auto from_signature = KnownDims(tensor);
    // A single open dimension of a vector follows from the data.
    if (!from_signature.ok() && tensor.dims.size() == 1) {
      known = {static_cast<std::int64_t>(count)};
    } else if (!from_signature.ok()) {
      return from_signature.status().WithPrefix(where + ": ");
    } else {
      known = *std::move(from_signature);
    }
  }
  const auto wanted = ElementCount(known);
  if (!wanted || static_cast<std::uint64_t>(*wanted) != count) {
    return InvalidArgument("{}: {} elements ({} bytes) do not fill the shape {}, which takes {}",
                           where, count, bytes.size(), DimsText(known),
                           Wanted(tensor, wanted.value_or(0)));
  }
  return RowOf(std::move(bytes), std::move(known), true);
}

Result<Row> MakeOutputRow(const TensorSignature& tensor, std::string bytes,
                          const std::optional<std::vector<std::int64_t>>& dims,
                          const std::string& where) {
  const bool known = dims || ElementCount(tensor.dims);
  if (known) {
    TensorSignature open = tensor;
    if (dims) {
      open.dims.assign(dims->size(), -1);  // what a model answers need not be what it announces
    }
    return MakeRow(open, std::move(bytes), dims, where);
  }
  HEADRACE_RETURN_IF_ERROR(Count(tensor, bytes, where).status());
  return RowOf(std::move(bytes), {}, false);
}

}  // namespace headrace::load
