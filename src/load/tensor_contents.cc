#include "load/tensor_contents.h"

#include <utility>

namespace headrace::load {
namespace {

// The steps that one content is made of, in order.
std::vector<const Step*> BatchAt(const DataSet& set, const Stream& stream, std::size_t step,
                                 std::int64_t batch_size) {
  std::vector<const Step*> steps;
  const std::size_t length = stream.end - stream.begin;
  for (std::int64_t i = 0; i < batch_size; ++i) {
    const std::size_t offset = (step + static_cast<std::size_t>(i)) % length;
    steps.push_back(&set.steps[stream.begin + offset]);
  }
  return steps;
}

using Rows = std::map<std::string, Row>;

// The rows of one tensor of a batch; empty where a step lacks it.
std::vector<const Row*> RowsOf(const std::vector<const Step*>& batch, Rows Step::*tensors,
                               const std::string& name) {
  std::vector<const Row*> rows;
  for (const Step* step : batch) {
    const auto found = (step->*tensors).find(name);
    if (found == (step->*tensors).end()) {
      return {};
    }
    rows.push_back(&found->second);
  }
  return rows;
}

bool SameShape(const std::vector<const Row*>& rows) {
  for (const Row* row : rows) {
    if (row->dims != rows.front()->dims || row->dims_known != rows.front()->dims_known) {
      return false;
    }
  }
  return true;
}

TensorContent Join(const TensorSignature& tensor, const std::vector<const Row*>& rows,
                   bool batched) {
  TensorContent content;
  content.name = tensor.name;
  content.data_type = tensor.data_type;
  if (rows.front()->dims_known) {
    if (batched) {
      content.shape.push_back(static_cast<std::int64_t>(rows.size()));
    }
    content.shape.insert(content.shape.end(), rows.front()->dims.begin(), rows.front()->dims.end());
  }
  if (rows.size() == 1) {
    content.bytes = rows.front()->bytes;
  } else {
    std::string bytes;
    for (const Row* row : rows) {
      bytes += *row->bytes;
    }
    content.bytes = std::make_shared<const std::string>(std::move(bytes));
  }
  return content;
}

Result<Content> MakeContent(const std::vector<const Step*>& batch, const Signature& signature,
                            const ItemSpec& item) {
  Content content;
  for (const TensorSignature& input : signature.inputs) {
    const auto rows = RowsOf(batch, &Step::inputs, input.name);
    if (rows.empty()) {
      continue;  // it is optional
    }
    if (!SameShape(rows)) {
      return InvalidArgument(
          "{}: input '{}' has other shapes in the entries that follow, so that they make no batch "
          "of {}; use batch size 1, or data of one shape",
          batch.front()->where, input.name, batch.size());
    }
    content.inputs.push_back(Join(input, rows, signature.batched));
  }
  GoldenOutputs golden;
  golden.absolute_tolerance = item.absolute_tolerance;
  golden.relative_tolerance = item.relative_tolerance;
  for (const TensorSignature& output : signature.outputs) {
    const auto rows = RowsOf(batch, &Step::outputs, output.name);
    if (!rows.empty() && SameShape(rows)) {
      golden.outputs.push_back(Join(output, rows, signature.batched));
    }
  }
  if (item.compare_answers && !golden.outputs.empty()) {
    content.golden = std::move(golden);
  }
  return content;
}

}  // namespace

Result<std::vector<Content>> MakeTensorContents(const DataSet& set, const Signature& signature,
                                                const ItemSpec& item) {
  std::vector<Stream> streams = set.streams;
  if (streams.empty()) {
    streams.push_back({0, static_cast<std::uint32_t>(set.steps.size())});
  }
  std::vector<Content> contents;
  for (const Stream& stream : streams) {
    for (std::size_t step = 0; step < stream.end - stream.begin; ++step) {
      HEADRACE_ASSIGN_OR_RETURN(
          Content content,
          MakeContent(BatchAt(set, stream, step, signature.batch_size), signature, item));
      contents.push_back(std::move(content));
    }
  }
  return contents;
}

}  // namespace headrace::load
