#include "telemetry/gpu_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "device/testing/fake_cuda.h"

namespace headrace::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A library that knows one card of FakeCuda's, and counts how often it is asked.
int look_count = 0;

device::Nvml FakeNvml() {
  using Device = device::Nvml::Device;
  device::Nvml nvml;
  nvml.nvmlInit = [] { return 0; };
  nvml.nvmlDeviceGetHandleByUUID = [](const char* uuid, Device* device) {
    ++look_count;
    *device = &look_count;
    return std::string_view(uuid).starts_with("GPU-0001") ? 0 : 6;
  };
  nvml.nvmlDeviceGetUtilizationRates = [](Device, device::Nvml::Utilization* rates) {
    *rates = {40, 10};
    return 0;
  };
  nvml.nvmlDeviceGetMemoryInfo = [](Device, device::Nvml::Memory* memory) {
    *memory = {1000, 600, 400};
    return 0;
  };
  nvml.nvmlDeviceGetPowerUsage = [](Device, unsigned* milliwatt) {
    *milliwatt = 71'500;
    return 0;
  };
  nvml.nvmlDeviceGetEnforcedPowerLimit = [](Device, unsigned*) { return 3; };  // not supported
  nvml.nvmlDeviceGetTotalEnergyConsumption = [](Device, unsigned long long* millijoule) {
    *millijoule = 5'000'000 + 1000ULL * static_cast<unsigned>(look_count);
    return 0;
  };
  return nvml;
}

std::string Page(const GpuMetrics& metrics) {
  PrometheusWriter writer;
  metrics.Collect(writer);
  return writer.Take();
}

class GpuMetricsTest : public ::testing::Test {
 protected:
  void SetUp() override { look_count = 0; }
  FakeClock clock_{0};
  device::testing::FakeCuda cuda_;
  std::shared_ptr<device::DeviceMemory> memory_ = std::make_shared<device::DeviceMemory>(
      device::Gpus::Discover(cuda_.driver(), 6.0), device::DeviceMemoryOptions());
};

TEST_F(GpuMetricsTest, Collect_WritesWhatEachCardTells) {
  const GpuMetrics metrics(memory_, FakeNvml(), kSecond, clock_);
  const std::string page = Page(metrics);
  const std::string card = "{gpu_uuid=\"GPU-00010203-0405-0607-0809-0a0b0c0d0e0f\"} ";
  EXPECT_THAT(page, HasSubstr("nv_gpu_utilization" + card + "0.4\n"));
  EXPECT_THAT(page, HasSubstr("nv_gpu_memory_used_bytes" + card + "400\n"));
  EXPECT_THAT(page, HasSubstr("nv_gpu_power_usage" + card + "71.5\n"));
  EXPECT_THAT(page, Not(HasSubstr("nv_gpu_power_limit{")));
  EXPECT_THAT(page, HasSubstr("nv_energy_consumption" + card + "0\n"));
  EXPECT_THAT(page, HasSubstr("nv_pinned_memory_pool_total_bytes 268435456\n"));
  EXPECT_THAT(page, Not(HasSubstr("GPU-10111213")));
}

TEST_F(GpuMetricsTest, Collect_AsksTheCardsOnceAnInterval) {
  const GpuMetrics metrics(memory_, FakeNvml(), kSecond, clock_);
  Page(metrics);
  Page(metrics);
  EXPECT_EQ(look_count, 2);  // two cards
  clock_.Advance(kSecond);
  EXPECT_THAT(Page(metrics), HasSubstr("0e0f\"} 2\n"));  // joules since the first look
}

TEST_F(GpuMetricsTest, Collect_WritesThePoolOnly_WithoutTheLibrary) {
  const GpuMetrics metrics(memory_, std::nullopt, kSecond, clock_);
  EXPECT_THAT(Page(metrics), Not(HasSubstr("nv_gpu_")));
  const auto piece = memory_->AllocatePinned(4096);
  ASSERT_TRUE(piece.ok());
  EXPECT_THAT(Page(metrics), HasSubstr("nv_pinned_memory_pool_used_bytes 4096\n"));
}

}  // namespace
}  // namespace headrace::telemetry
