#include "store/store_scaling.h"

#include <string>
#include <utility>

namespace headrace::store {

std::vector<ModelStoreScaling::Version> ModelStoreScaling::Versions() const {
  return store_.ScalableVersions();
}

void ModelStoreScaling::Resize(const Version& version, std::int64_t worker_count,
                               std::string_view reason, scaling::Autoscaler::Done done) {
  store_.Resize(
      version.name, version.version, worker_count,
      [done = std::move(done)](const StoreReply& reply) {
        done(reply.error.ok() ? OkStatus() : Unavailable("{}", reply.error.message));
      },
      std::string(reason));
}

}  // namespace headrace::store
