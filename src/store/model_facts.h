// What is told of a version: `describe`, `list`, snapshots, health.
#ifndef HEADRACE_STORE_MODEL_FACTS_H_
#define HEADRACE_STORE_MODEL_FACTS_H_

#include "engine/instance_facts.h"
#include "engine/model.h"
#include "store/catalog.h"
#include "store/model_store.h"

namespace headrace::store {

// `model` may be null: the version is going. Reads /proc for the memory of its workers, else does
// not block.
ModelFacts FactsOf(const Catalog::Entry& entry, engine::ModelHandle model);

// Whether the instance's worker will not be started again.
bool HasGivenUp(const engine::InstanceFacts& instance);

// Whether the version has at least the workers that it is to have, those that start and restart
// among them.
bool IsHealthy(const Catalog::Entry& entry, const engine::Model* model);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_MODEL_FACTS_H_
