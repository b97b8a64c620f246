// Whether the models that an ensemble is made of are there.
#ifndef HEADRACE_REPOSITORY_ENSEMBLE_PARTS_H_
#define HEADRACE_REPOSITORY_ENSEMBLE_PARTS_H_

#include <string>
#include <vector>

#include "repository/model_plan.h"
#include "repository/model_records.h"
#include "repository/repositories.h"
#include "repository/version_board.h"

namespace headrace::repository {

// Thread-safe. Borrows what it is given. Blocks on the file system.
class EnsembleParts {
 public:
  EnsembleParts(const Repositories& repositories, PlanOptions options, const VersionBoard& board,
                const ModelRecords& records)
      : repositories_(repositories),
        options_(std::move(options)),
        board_(board),
        records_(records) {}

  // CheckComposition over the configurations in the repositories.
  Status Check(const ModelPlan& plan) const;
  // The same parts of `ensemble`, a key; those without a namespace get theirs if it can be told
  // now.
  std::vector<ComposingModel> Resolved(const std::string& ensemble,
                                       std::vector<ComposingModel> parts) const;
  // Those of `parts` that have no READY version, or not the one that is asked for.
  std::vector<ComposingModel> Missing(const std::vector<ComposingModel>& parts) const;
  // Those of the missing ones that a load might bring: whose model can be told.
  std::vector<ComposingModel> Loadable(const std::vector<ComposingModel>& parts) const;
  // OK if nothing is missing. Otherwise INVALID_ARGUMENT in the words of contracts, Triton 5.3, and
  // in those of a stock Triton for models that no repository has.
  Status Fault(const std::string& ensemble, const std::vector<ComposingModel>& parts) const;

 private:
  LayoutOptions layout_options() const {
    return {options_.links_may_leave, options_.namespaces != nullptr};
  }

  const Repositories& repositories_;
  const PlanOptions options_;
  const VersionBoard& board_;
  const ModelRecords& records_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ENSEMBLE_PARTS_H_
