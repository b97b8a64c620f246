// The models of a store, for the autoscaler.
#ifndef HEADRACE_STORE_STORE_SCALING_H_
#define HEADRACE_STORE_STORE_SCALING_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "scaling/autoscaler.h"
#include "store/model_store.h"

namespace headrace::store {

// Thread-safe. Borrows the store.
class ModelStoreScaling final : public scaling::Autoscaler::Target {
 public:
  explicit ModelStoreScaling(ModelStore& store) : store_(store) {}
  std::vector<Version> Versions() const override;
  void Resize(const Version& version, std::int64_t worker_count, std::string_view reason,
              scaling::Autoscaler::Done done) override;

 private:
  ModelStore& store_;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_STORE_SCALING_H_
