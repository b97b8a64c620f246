#include "telemetry/process_metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace headrace::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A /proc of the test's own.
class ProcessMetricsTest : public ::testing::Test {
 protected:
  ProcessMetricsTest() {
    root_ = ::testing::TempDir() + "headrace_proc_XXXXXX";
    EXPECT_NE(::mkdtemp(root_.data()), nullptr);
    std::filesystem::create_directories(root_ + "/self/fd");
    WriteStat(100, 900);
    Write("meminfo", "MemTotal:       1000 kB\nMemFree:  10 kB\nMemAvailable:    400 kB\n");
    // The program's name holds what would mislead a parser that looks for blanks.
    Write("self/stat",
          "77 (a) R 1 (b) S 1 77 77 0 -1 4194560 10 0 0 0 250 50 0 0 20 0 9 0 1000 2048 3 0\n");
    for (const char* fd : {"0", "1", "2", "7"}) {
      Write(std::string("self/fd/") + fd, "");
    }
    options_.proc_root = root_;
  }
  ~ProcessMetricsTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::ofstream(root_ + "/" + path) << text;
  }
  void WriteStat(int busy, int idle) {
    Write("stat", "cpu  " + std::to_string(busy) + " 0 0 " + std::to_string(idle) +
                      " 0 0 0 0 5 5\ncpu0 1 2 3 4\nctxt 9\nbtime 1700000000\nprocesses 3\n");
  }
  static std::string Page(const ProcessMetrics& metrics) {
    PrometheusWriter writer;
    metrics.Collect(writer);
    return writer.Take();
  }

  std::string root_;
  ProcessMetricsOptions options_;
  FakeClock clock_;
};

TEST_F(ProcessMetricsTest, Page_HoldsWhatTheFilesSay) {
  const ProcessMetrics metrics(clock_, options_);
  const std::string page = Page(metrics);
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  EXPECT_THAT(page, HasSubstr("# TYPE nv_cpu_utilization gauge\nnv_cpu_utilization 0\n"));
  EXPECT_THAT(page, HasSubstr("\nnv_cpu_memory_total_bytes 1024000\n"));
  EXPECT_THAT(page, HasSubstr("\nnv_cpu_memory_used_bytes 614400\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE process_cpu_seconds_total counter\n"));
  EXPECT_THAT(page, HasSubstr(fmt::format("\nprocess_cpu_seconds_total {}\n", 300 / ticks)));
  EXPECT_THAT(
      page, HasSubstr(fmt::format("\nprocess_start_time_seconds {}\n", 1700000000 + 1000 / ticks)));
  EXPECT_THAT(page, HasSubstr("\nprocess_threads 9\n"));
  EXPECT_THAT(page, HasSubstr("\nprocess_virtual_memory_bytes 2048\n"));
  EXPECT_THAT(page, HasSubstr(fmt::format("\nprocess_resident_memory_bytes {}\n",
                                          3 * ::sysconf(_SC_PAGESIZE))));
  EXPECT_THAT(page, HasSubstr("\nprocess_open_fds 4\n"));
  EXPECT_THAT(page, HasSubstr("\nprocess_max_fds "));
  EXPECT_THAT(page, HasSubstr("\nheadrace_log_entries_dropped_total "));
}

TEST_F(ProcessMetricsTest, Utilization_IsTheBusyShareSinceTheLastLook) {
  const ProcessMetrics metrics(clock_, options_);
  clock_.Advance(kSecond);
  WriteStat(130, 970);
  EXPECT_THAT(Page(metrics), HasSubstr("\nnv_cpu_utilization 0.3\n"));
  // Too soon after: the same answer, and the look does not count.
  WriteStat(140, 970);
  EXPECT_THAT(Page(metrics), HasSubstr("\nnv_cpu_utilization 0.3\n"));
  clock_.Advance(kSecond);
  WriteStat(150, 1030);
  EXPECT_THAT(Page(metrics), HasSubstr("\nnv_cpu_utilization 0.25\n"));
  clock_.Advance(kSecond);
  WriteStat(1, 2);  // counters that ran backwards
  EXPECT_THAT(Page(metrics), HasSubstr("\nnv_cpu_utilization 0.25\n"));
}

TEST_F(ProcessMetricsTest, FilesThatAreMissingOrBroken_LeaveTheirMetricsOut) {
  Write("self/stat", "77 (cut");
  Write("meminfo", "MemTotal: x kB\nMemAvailable:");
  Write("stat", "cp");
  std::filesystem::remove_all(root_ + "/self/fd");
  const ProcessMetrics metrics(clock_, options_);
  const std::string page = Page(metrics);
  for (const char* name : {"nv_cpu_memory", "process_cpu_seconds", "process_start_time",
                           "process_resident", "process_open_fds", "process_threads"}) {
    EXPECT_THAT(page, Not(HasSubstr(name)));
  }
}

TEST_F(ProcessMetricsTest, CpuMetrics_CanBeTurnedOff) {
  options_.cpu_metrics = false;
  const std::string page = Page(ProcessMetrics(clock_, options_));
  EXPECT_THAT(page, Not(HasSubstr("nv_cpu")));
  EXPECT_THAT(page, HasSubstr("process_open_fds"));
}

TEST(ProcessMetricsOfThisProcessTest, Page_HasEveryFamily) {
  const ProcessMetrics metrics(Clock::Real());
  PrometheusWriter writer;
  metrics.Collect(writer);
  const std::string page = writer.Take();
  for (const char* name :
       {"nv_cpu_utilization", "nv_cpu_memory_total_bytes", "nv_cpu_memory_used_bytes",
        "process_cpu_seconds_total", "process_start_time_seconds", "process_threads",
        "process_virtual_memory_bytes", "process_resident_memory_bytes", "process_open_fds",
        "process_max_fds"}) {
    EXPECT_THAT(page, HasSubstr(fmt::format("\n{} ", name)));
  }
}

}  // namespace
}  // namespace headrace::telemetry
