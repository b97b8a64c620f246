// A front end and fake models, for the fixtures of this folder's tests.
#ifndef HEADRACE_FRONTEND_FRONT_END_WITH_FAKES_H_
#define HEADRACE_FRONTEND_FRONT_END_WITH_FAKES_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "frontend/fake_model.h"
#include "frontend/front_end.h"

namespace headrace::frontend {

// Has no transport: whoever derives from it adds one, and drains the models before that ends.
class FrontEndWithFakes : public testing::Test {
 protected:
  explicit FrontEndWithFakes(FrontEndOptions options)
      : manager_(repository::ModelManagerOptions{}, backends_, registry_, Clock::Real()),
        front_end_(std::move(options), registry_, manager_, *tracer_, pool_, Clock::Real()) {
    HEADRACE_CHECK(manager_.LoadAtStart().ok());  // no repository: ready at once
  }

  engine::ModelHandle Serve(engine::ModelOptions options,
                            ExecuteFunction execute = ExecuteIdentity) {
    const std::string name = options.name;
    const std::int64_t version = options.version;
    models_.push_back(StartFake(std::move(options), std::move(execute)));
    registry_.SetVersion(name, version, {engine::ModelState::kReady, "", models_.back()});
    return models_.back();
  }

  void DrainModels() {
    for (const engine::ModelHandle& model : models_) {
      model->Drain(10 * kSecond);
    }
  }

  BlockPool pool_;
  NoBackends backends_;
  engine::Registry registry_;
  repository::ModelManager manager_;
  std::unique_ptr<tracing::Tracer> tracer_ = tracing::Tracer::Create({}, {}).value();
  FrontEnd front_end_;
  std::vector<engine::ModelHandle> models_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_FRONT_END_WITH_FAKES_H_
