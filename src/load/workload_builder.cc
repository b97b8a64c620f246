#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "load/body_contents.h"
#include "load/data_source.h"
#include "load/tensor_contents.h"
#include "load/workload_spec.h"

namespace headrace::load {
namespace {

constexpr int kSequencesOpen = 4;  // perf_analyzer's --num-of-sequences

bool HasTensors(Protocol protocol) {
  return protocol == Protocol::kV2Http || protocol == Protocol::kV2Grpc ||
         protocol == Protocol::kInProcess;
}

class Builder {
 public:
  Builder(const WorkloadSpec& spec, ServerControl* control)
      : spec_(spec), control_(control), random_(spec.seed) {}

  Result<Workload> Build(const std::vector<ItemSpec>& items) {
    Workload workload;
    workload.seed = spec_.seed;
    for (const ItemSpec& item_spec : items) {
      auto item = BuildItem(item_spec);
      if (!item.ok()) {
        return items.size() == 1
                   ? item.status()
                   : item.status().WithPrefix(fmt::format("item '{}': ", NameOf(item_spec)));
      }
      HEADRACE_RETURN_IF_ERROR(Charge(*item));
      workload.items.push_back(*std::move(item));
    }
    return workload;
  }

 private:
  static std::string NameOf(const ItemSpec& spec) {
    return spec.name.empty() ? spec.model : spec.name;
  }

  Result<Item> BuildItem(const ItemSpec& spec) {
    Item item;
    item.name = NameOf(spec);
    item.weight = spec.weight;
    item.model = spec.model;
    item.version = spec.version;
    item.outputs = spec.outputs;
    item.parameters = spec.parameters;
    item.batch_size = spec.batch_size;
    item.priority = spec.priority;
    item.timeout_us = spec.timeout_us;
    item.sla = spec.sla;
    item.sequences = spec.sequences;
    if (spec.model.empty() && spec_.protocol != Protocol::kRawHttp &&
        spec_.protocol != Protocol::kInvocations) {
      return InvalidArgument("no model is named; -m NAME does");
    }
    if (!HasTensors(spec_.protocol)) {
      if (spec.batch_size < 1) {
        return InvalidArgument("the batch size must be 1 or more, not {}", spec.batch_size);
      }
      HEADRACE_ASSIGN_OR_RETURN(item.contents, MakeBodyContents(spec_.protocol, spec, random_));
      return item;
    }
    HEADRACE_RETURN_IF_ERROR(FillTensors(spec, item));
    return item;
  }

  Status FillTensors(const ItemSpec& spec, Item& item) {
    HEADRACE_ASSIGN_OR_RETURN(const ModelFacts facts, FactsOf(spec));
    if (facts.decoupled && spec_.protocol == Protocol::kV2Http) {
      return InvalidArgument(
          "the model '{}' is decoupled, which v2 over HTTP cannot carry; use -i grpc --streaming",
          spec.model);
    }
    HEADRACE_ASSIGN_OR_RETURN(const Signature signature, MakeSignature(facts, spec));
    HEADRACE_RETURN_IF_ERROR(CheckOutputs(spec, signature));
    HEADRACE_ASSIGN_OR_RETURN(DataSet set, ReadSteps(spec, signature, random_));
    HEADRACE_RETURN_IF_ERROR(AddGolden(spec, signature, set));
    HEADRACE_ASSIGN_OR_RETURN(item.contents, MakeTensorContents(set, signature, spec));
    if (facts.sequences && item.sequences.concurrent == 0) {
      item.sequences.concurrent = kSequencesOpen;
    }
    if (item.sequences.concurrent > 0) {
      item.streams = std::move(set.streams);
    }
    return OkStatus();
  }

  Result<ModelFacts> FactsOf(const ItemSpec& spec) {
    if (control_ == nullptr) {
      return FailedPrecondition("nobody can be asked what the model '{}' takes", spec.model);
    }
    const auto key = std::pair(spec.model, spec.version);
    if (const auto known = facts_.find(key); known != facts_.end()) {
      return known->second;
    }
    HEADRACE_ASSIGN_OR_RETURN(ModelFacts facts, control_->Model(spec.model, spec.version));
    return facts_.emplace(key, std::move(facts)).first->second;
  }

  static Status CheckOutputs(const ItemSpec& spec, const Signature& signature) {
    for (const std::string& output : spec.outputs) {
      if (signature.Output(output) == nullptr) {
        return InvalidArgument("the model '{}' has no output '{}'", spec.model, output);
      }
    }
    return OkStatus();
  }

  static Status AddGolden(const ItemSpec& spec, const Signature& signature, DataSet& set) {
    if (spec.golden_file.empty()) {
      return OkStatus();
    }
    HEADRACE_ASSIGN_OR_RETURN(DataSet golden, ReadGoldenFile(spec.golden_file, signature));
    if (golden.steps.size() != set.steps.size()) {
      return InvalidArgument(
          "{}: \"validation_data\" has {} entries, and the data of the requests {}; they go "
          "together one by one",
          spec.golden_file, golden.steps.size(), set.steps.size());
    }
    for (std::size_t i = 0; i < set.steps.size(); ++i) {
      set.steps[i].outputs = std::move(golden.steps[i].outputs);
    }
    return OkStatus();
  }

  Status Charge(const Item& item) {
    const auto charge = [&](const std::shared_ptr<const std::string>& bytes) {
      if (bytes != nullptr && charged_.insert(bytes.get()).second) {
        byte_size_ += bytes->size();
      }
    };
    for (const Content& content : item.contents) {
      charge(content.body);
      for (const TensorContent& input : content.inputs) {
        charge(input.bytes);
      }
      if (content.golden) {
        for (const TensorContent& output : content.golden->outputs) {
          charge(output.bytes);
        }
      }
    }
    if (byte_size_ > spec_.byte_size_max) {
      return ResourceExhausted(
          "the data of the requests is larger than {} bytes; use less of it, or a smaller batch",
          spec_.byte_size_max);
    }
    return OkStatus();
  }

  const WorkloadSpec& spec_;
  ServerControl* const control_;
  Random random_;
  std::map<std::pair<std::string, std::string>, ModelFacts> facts_;
  std::set<const void*> charged_;
  std::size_t byte_size_ = 0;
};

}  // namespace

Result<Workload> BuildWorkload(const WorkloadSpec& spec, ServerControl* control) {
  std::vector<ItemSpec> items = {spec.item};
  if (!spec.mix_file.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(items, ReadMix(spec.mix_file, spec.item));
  }
  return Builder(spec, control).Build(items);
}

}  // namespace headrace::load
