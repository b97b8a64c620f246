#include "tune/multi_division.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace headrace::tune {
namespace {

constexpr double kBusyMost = 0.9;    // of the cores, where they are shared
constexpr double kPrecision = 1.02;  // of a shared division's rate

class Divider {
 public:
  Divider(const std::vector<DividedModel>& models, int cores, const StretchedCapacity& stretched)
      : models_(models), cores_(cores), stretched_(stretched) {
    const double sum = std::accumulate(
        models.begin(), models.end(), 0.0,
        [](double total, const DividedModel& model) { return total + model.share; });
    for (const DividedModel& model : models) {
      parts_.push_back(model.share / sum);
    }
  }

  std::vector<Division> Take(std::size_t count_max) {
    OwnCores(count_max);
    SharedCores();
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Division& a, const Division& b) { return a.rate > b.rate; });
    if (found_.size() > count_max) {
      found_.resize(count_max);
    }
    return std::move(found_);
  }

 private:
  using Choices = std::vector<const DivisionChoice*>;

  void Add(const Choices& choices, double rate) {
    Division division{.rate = rate};
    for (const DivisionChoice* choice : choices) {
      division.configurations.push_back(choice->configuration);
      division.cores += choice->configuration.shape.cores();
    }
    if (seen_.insert(division.configurations).second) {
      found_.push_back(std::move(division));
    }
  }

  // Rates at which some model is at its limit: between two of them nothing changes.
  std::vector<double> Limits() const {
    std::set<double> limits;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      for (const DivisionChoice& choice : models_[i].choices) {
        limits.insert(choice.capacity / parts_[i]);
      }
    }
    return {limits.rbegin(), limits.rend()};
  }

  // Of the choices that carry the rate the one with the fewest cores, then the highest capacity.
  const DivisionChoice* Cheapest(std::size_t index, double rate) const {
    const DivisionChoice* best = nullptr;
    for (const DivisionChoice& choice : models_[index].choices) {
      const int cores = choice.configuration.shape.cores();
      if (choice.capacity <= 0 || choice.capacity < parts_[index] * rate * (1 - 1e-9)) {
        continue;
      }
      if (best == nullptr || cores < best->configuration.shape.cores() ||
          (cores == best->configuration.shape.cores() && choice.capacity > best->capacity)) {
        best = &choice;
      }
    }
    return best;
  }

  void OwnCores(std::size_t count_max) {
    for (const double rate : Limits()) {
      Choices choices;
      int cores = 0;
      for (std::size_t i = 0; i < models_.size(); ++i) {
        const DivisionChoice* choice = Cheapest(i, rate);
        if (choice == nullptr) {
          break;
        }
        choices.push_back(choice);
        cores += choice->configuration.shape.cores();
      }
      if (choices.size() == models_.size() && cores <= cores_) {
        Add(choices, rate);
        if (found_.size() == count_max) {
          return;
        }
      }
    }
  }

  void SharedCores() {
    for (int most = 1; most <= cores_; ++most) {
      Choices choices;
      int cores = 0;
      for (const DividedModel& model : models_) {
        const DivisionChoice* best = nullptr;
        for (const DivisionChoice& choice : model.choices) {
          if (choice.configuration.shape.cores() <= most && choice.capacity > 0 &&
              (best == nullptr || choice.capacity > best->capacity)) {
            best = &choice;
          }
        }
        if (best == nullptr) {
          break;
        }
        choices.push_back(best);
        cores += best->configuration.shape.cores();
      }
      if (choices.size() == models_.size() && cores > cores_) {
        if (const double rate = SharedRate(choices); rate > 0) {
          Add(choices, rate);
        }
      }
    }
  }

  double SharedRate(const Choices& choices) const {
    double work = 0;  // core seconds of one request, whichever model's it is
    double high = HUGE_VAL;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      work += parts_[i] * choices[i]->core_seconds;
      high = std::min(high, choices[i]->capacity / parts_[i]);
    }
    if (work > 0) {
      high = std::min(high, kBusyMost * cores_ / work);
    }
    if (Carries(choices, high)) {
      return high;
    }
    double low = high / 64;
    if (!Carries(choices, low)) {
      return 0;
    }
    while (high / low > kPrecision) {
      const double middle = std::sqrt(low * high);
      (Carries(choices, middle) ? low : high) = middle;
    }
    return low;
  }

  bool Carries(const Choices& choices, double rate) const {
    double busy = 0;
    for (std::size_t i = 0; i < choices.size(); ++i) {
      busy += parts_[i] * rate * choices[i]->core_seconds;
    }
    for (std::size_t i = 0; i < choices.size(); ++i) {
      const double own = parts_[i] * rate * choices[i]->core_seconds;
      const double left = std::max(0.05 * cores_, cores_ - (busy - own));
      const double factor =
          std::max(1.0, choices[i]->configuration.shape.cores() / std::max(left, 1e-9));
      if (stretched_(i, choices[i]->configuration, factor) < parts_[i] * rate) {
        return false;
      }
    }
    return true;
  }

  const std::vector<DividedModel>& models_;
  const int cores_;
  const StretchedCapacity& stretched_;
  std::vector<double> parts_;  // of the requests
  std::vector<Division> found_;
  std::set<std::vector<Configuration>> seen_;
};

}  // namespace

std::vector<Division> DivideCores(const std::vector<DividedModel>& models, int cores,
                                  const StretchedCapacity& stretched, std::size_t count_max) {
  return Divider(models, cores, stretched).Take(count_max);
}

}  // namespace headrace::tune
