// What a suite has measured so far, in a file: a run that was cut goes on where it was.
#ifndef HEADRACE_BENCH_SUITE_STATE_H_
#define HEADRACE_BENCH_SUITE_STATE_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bench/level.h"
#include "bench/suite_plan.h"

namespace headrace::bench {

// How a point ended.
struct PointResult {
  // Why there is no level: its configuration could not be loaded, or nothing could be sent. Ok =
  // `level` is what was measured.
  Status failure;
  LevelResult level;
  Nanos took = 0;  // all in all, with the change of configuration
  // What more is known of it than a level says, in milliseconds or percent; by column of
  // ab_report.csv ("Queue time p99", "handler_time_mean").
  std::map<std::string, double> columns;
};

// A file of lines, one JSON object each: first what the file is, then one for each point, written
// through to the disk. A last line that was cut is passed over. One thread.
class SuiteState {
 public:
  // Opens `path`, or makes it, for the points of `plan`. With `fresh`, what it has is dropped. The
  // points that failed are to be run again. FAILED_PRECONDITION for a file that is none of ours or
  // belongs to a newer version.
  static Result<std::unique_ptr<SuiteState>> Open(const std::string& path,
                                                  const std::vector<SuitePoint>& plan, bool fresh);

  // The result of a point of the plan, from this run or one before; null = it is to be run.
  const PointResult* Find(const std::string& key) const;
  std::size_t done_count() const { return results_.size(); }
  // Points in the file that the plan does not have: the suite was changed since.
  std::size_t foreign_count() const { return foreign_count_; }

  // Keeps the result and writes it to the disk. UNAVAILABLE names the file.
  Status Add(const std::string& key, PointResult result);
  // The same without the file: failures, which another run tries again.
  void Remember(const std::string& key, PointResult result);

 private:
  SuiteState(std::string path, UniqueFd file);
  Status Write(const std::string& line);

  std::string path_;
  UniqueFd file_;
  std::map<std::string, PointResult> results_;
  std::size_t foreign_count_ = 0;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_STATE_H_
