#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "frontend/front_end_fixture.h"

namespace headrace::frontend {
namespace {

using testing::HasSubstr;

constexpr std::string_view kRequest =
    R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[2,1],"data":[1,2]}]})";

// A page by series; fails the test where the text breaks the exposition format.
std::map<std::string, double> ParsePage(const std::string& page) {
  std::map<std::string, double> samples;
  std::set<std::string> families;
  std::istringstream lines(page);
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("# TYPE ", 0) == 0) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family << " twice";
      continue;
    }
    if (line.rfind("# HELP ", 0) == 0 || line.empty()) {
      continue;
    }
    const std::size_t space = line.rfind(' ');
    EXPECT_EQ(line.rfind(family, 0), 0u) << line << " in family " << family;
    double value = 0;
    const auto [end, error] =
        std::from_chars(line.data() + space + 1, line.data() + line.size(), value);
    EXPECT_EQ(error, std::errc()) << line;
    EXPECT_TRUE(samples.emplace(line.substr(0, space), value).second) << line << " twice";
  }
  return samples;
}

class MetricsPageTest : public FrontEndFixture {
 protected:
  std::map<std::string, double> Scrape() {
    const WireResponse response = ConnectMetrics().Get("/metrics");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.Header("Content-Type"), "text/plain; charset=utf-8");
    return ParsePage(response.body);
  }
};

TEST_F(MetricsPageTest, ServesGetOfOnePath) {
  WireClient client = ConnectMetrics();
  EXPECT_EQ(client.Get("/metrics").status, 200);
  EXPECT_EQ(client.Get("/metrics?x").status, 200);
  EXPECT_EQ(client.Get("/").status, 404);
  EXPECT_EQ(client.Get("/metrics/").status, 404);
  EXPECT_EQ(client.Get("/v2").status, 404);
  const WireResponse post = client.Post("/metrics", "x");
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.Header("Allow"), "GET");
  EXPECT_EQ(client.Exchange("HEAD", "/metrics").status, 405);
}

TEST_F(MetricsPageTest, HasTritonsFamilies_AtZero_WhenNothingWasAsked) {
  Serve(IdentityOptions("m"));
  const auto samples = Scrape();
  for (const std::string_view name : {"success", "duration_us"}) {
    EXPECT_EQ(
        samples.at("nv_inference_request_" + std::string(name) + "{model=\"m\",version=\"1\"}"), 0);
  }
  for (const std::string_view name :
       {"count", "exec_count", "queue_duration_us", "compute_input_duration_us",
        "compute_infer_duration_us", "compute_output_duration_us", "pending_request_count"}) {
    EXPECT_EQ(samples.at("nv_inference_" + std::string(name) + "{model=\"m\",version=\"1\"}"), 0);
  }
  for (const std::string_view reason : {"OTHER", "BACKEND", "CANCELED", "REJECTED"}) {
    EXPECT_EQ(samples.at("nv_inference_request_failure{model=\"m\",version=\"1\",reason=\"" +
                         std::string(reason) + "\"}"),
              0);
  }
}

TEST_F(MetricsPageTest, CountsRequests_AndLabelsWithTags) {
  engine::ModelOptions options = IdentityOptions("m");
  options.metric_tags = {{"team", "a \"b\""}};
  Serve(options);
  WireClient client = Connect();
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(client.Post("/v2/models/m/infer", kRequest).status, 200);
  }
  const auto samples = Scrape();
  const std::string labels = R"({model="m",version="1",_team="a \"b\""})";
  EXPECT_EQ(samples.at("nv_inference_request_success" + labels), 3);
  EXPECT_EQ(samples.at("headrace_requests_received_total" + labels), 3);
  // The last one is recorded behind its answer.
  EXPECT_GE(samples.at("headrace_request_send_seconds_count" + labels), 2);
  EXPECT_EQ(samples.at("headrace_queue_depth" + labels), 0);
}

TEST_F(MetricsPageTest, CountsRefusals_UnknownModelsUnderOneLabel) {
  Serve(IdentityOptions("m"));
  WireClient client = Connect();
  client.Post("/v2/models/a/infer", "{}");
  client.Post("/v2/models/b/versions/7/infer", "{}");
  client.Post("/v2/models/m/versions/007/infer", "{}");
  client.Post("/v2/models/m/infer", "{");
  client.Post("/v2/models/m/infer", "{", "Content-Encoding: br\r\n");
  const auto samples = Scrape();
  EXPECT_EQ(samples.at(R"(headrace_rejections_total{model="",version="",reason="unknown_model"})"),
            3);
  EXPECT_EQ(samples.at(R"(headrace_rejections_total{model="m",version="1",reason="malformed"})"),
            1);
  EXPECT_EQ(
      samples.at(R"(headrace_rejections_total{model="m",version="1",reason="content_encoding"})"),
      1);
  EXPECT_EQ(samples.at(R"(headrace_rejections_total{model="m",version="1",reason="queue"})"), 0);
}

TEST_F(MetricsPageTest, ForgetsUnloadedModels) {
  Serve(IdentityOptions("m"));
  EXPECT_FALSE(Scrape().empty());
  registry_.SetVersion("m", 1, {engine::ModelState::kUnavailable, "unloaded", nullptr});
  EXPECT_EQ(Scrape().count(R"(nv_inference_request_success{model="m",version="1"})"), 0u);
}

TEST_F(MetricsPageTest, ShowsFurtherSources) {
  class Source final : public telemetry::MetricSource {
   public:
    void Collect(telemetry::PrometheusWriter& writer) const override {
      writer.Family("more", telemetry::MetricKind::kGauge, "More");
      writer.Sample({}, std::uint64_t{7});
    }
  };
  const Source source;
  front_end_.AddMetricSource(source);
  EXPECT_EQ(Scrape().at("more"), 7);
}

}  // namespace
}  // namespace headrace::frontend
