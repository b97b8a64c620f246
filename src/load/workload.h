// What is sent: items drawn by weight, each with contents made before the run.
#ifndef HEADRACE_LOAD_WORKLOAD_H_
#define HEADRACE_LOAD_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "tensor/dtype.h"

namespace headrace::load {

class AnswerRecord;

struct TensorContent {
  std::string name;
  DataType data_type{};
  std::vector<std::int64_t> shape;  // with the batch dimension, where the model has one
  // Packed as the v2 protocol's binary form (BYTES: 4-byte length before each element). Shared by
  // the contents that draw the same bytes.
  std::shared_ptr<const std::string> bytes;
};

// An answer that is right (golden.h compares): the outputs by name, element by element; where the
// protocol has no tensors, the body.
struct GoldenOutputs {
  std::vector<TensorContent> outputs;
  std::shared_ptr<const std::string> body;  // equal byte by byte, or as JSON within the tolerances
  double absolute_tolerance = 1e-5;
  double relative_tolerance = 1e-5;
  // Takes the answer, whatever it is, which then is right; null: answers are compared.
  std::shared_ptr<AnswerRecord> record = nullptr;
};

// One body that can be sent: tensors for the v2 protocols, bytes for the others.
struct Content {
  std::vector<TensorContent> inputs;
  std::shared_ptr<const std::string> body;
  std::string content_type;
  std::optional<GoldenOutputs> golden;
};

struct SequenceSpec {
  int concurrent = 0;  // sequences that are open at a time; 0 = none
  int length = 20;     // requests in one
  double length_variation = 0.2;
  std::uint64_t id_first = 1, id_last = UINT32_MAX;
  bool length_given = false;  // `length` holds also where the item has streams
};

// Contents [begin, end) of an item that belong to one sequence, in their order.
struct Stream {
  std::uint32_t begin = 0, end = 0;
};

// One kind of request.
struct Item {
  std::string name;  // for reports; the model's name unless the mix says otherwise
  double weight = 1;
  std::string model;
  std::string version;               // "" = the latest
  std::vector<Content> contents;     // taken in turn; never empty
  std::vector<std::string> outputs;  // v2: the outputs asked for; empty = all
  std::vector<std::pair<std::string, std::string>> parameters;  // v2: name, JSON value
  std::int64_t batch_size = 1;  // inferences that one request counts as
  std::uint64_t priority = 0;
  std::uint64_t timeout_us = 0;
  std::optional<Nanos> sla;  // of this stream alone; goodput counts against it
  SequenceSpec sequences;
  // Data that belongs to sequences: each new sequence takes the next stream. It is as long as its
  // stream, or of `sequences.length` with the stream from its start again where `length_given`.
  // Empty: sequences take the contents in turn.
  std::vector<Stream> streams;
};

struct Workload {
  std::vector<Item> items;  // never empty
  // The items in the order of the arrivals, from its start again at the end (recorded traffic).
  // Empty: they are drawn by weight.
  std::vector<std::uint32_t> order;
  std::uint64_t seed = 1;  // of the draw between items, and of contents that are random
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_WORKLOAD_H_
