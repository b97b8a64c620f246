// generate_stream, from socket to fake model and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "frontend/front_end_fixture.h"

namespace headrace::frontend {
namespace {

using testing::HasSubstr;

constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

FrontEndOptions SmallOptions() {
  FrontEndOptions options;
  options.http_stream_unsent_byte_size_max = 256 * 1024;
  return options;
}

engine::InferResponse ResponseOf(const engine::InferRequest& request) {
  engine::InferResponse response;
  response.outputs.push_back({"OUTPUT0", request.inputs[0].tensor});
  return response;
}

class GenerateStreamTest : public FrontEndFixture {
 protected:
  GenerateStreamTest() : FrontEndFixture(SmallOptions(), 1) {}

  void ServeDecoupled(const std::string& name, ExecuteFunction execute) {
    engine::ModelOptions options = IdentityOptions(name);
    options.decoupled = true;
    options.batching.batch_size_max = 1;
    Serve(std::move(options), std::move(execute));
  }

  static WireResponse Post(WireClient& client, const std::string& model,
                           std::string_view body = R"({"INPUT0":1})") {
    WireResponse response = client.Post("/v2/models/" + model + "/generate_stream", body);
    if (response.Header("Transfer-Encoding") == "chunked") {
      response.body = client.ReceiveChunks();
    }
    return response;
  }

  std::string Metric(std::string_view name) const {
    const std::string page = front_end_.MetricsPage();
    const std::string line = "\n" + std::string(name) + " ";
    const std::size_t at = page.find(line);
    return at == std::string::npos
               ? "none"
               : page.substr(at + line.size(), page.find('\n', at + 1) - at - line.size());
  }
};

TEST_F(GenerateStreamTest, EachResponse_IsOneEvent) {
  ServeDecoupled("two", [](engine::Batch batch) {
    for (auto& request : batch.requests) {
      request->Send(ResponseOf(*request));
      engine::InferResponse last = ResponseOf(*request);
      last.final = true;
      request->Send(std::move(last));
      request->Finish(OkStatus());
    }
  });
  WireClient client = Connect();
  const WireResponse response = Post(client, "two", R"({"INPUT0":7,"id":"a"})");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("Content-Type"), kEventStream);
  EXPECT_EQ(response.body,
            "data: {\"id\":\"a\",\"model_name\":\"two\",\"model_version\":\"1\","
            "\"triton_final_response\":false,\"OUTPUT0\":7.0}\n\n"
            "data: {\"id\":\"a\",\"model_name\":\"two\",\"model_version\":\"1\","
            "\"triton_final_response\":true,\"OUTPUT0\":7.0}\n\n");
  EXPECT_EQ(client.Get("/v2/health/live").status, 200);
  EXPECT_EQ(Metric("headrace_http_stream_events_total"), "2");
}

TEST_F(GenerateStreamTest, OrdinaryModel_AndVersion) {
  Serve(IdentityOptions("m"));
  WireClient client = Connect();
  const std::string event =
      "data: {\"model_name\":\"m\",\"model_version\":\"1\",\"triton_final_response\":true,"
      "\"OUTPUT0\":[1.0,2.0]}\n\n";
  EXPECT_EQ(Post(client, "m", R"({"INPUT0":[1,2]})").body, event);
  EXPECT_EQ(Post(client, "m/versions/1", R"({"INPUT0":[1,2]})").body, event);
}

TEST_F(GenerateStreamTest, NoResponse_IsAnEmptyStream) {
  ServeDecoupled("none", [](engine::Batch batch) { batch.requests[0]->Finish(OkStatus()); });
  WireClient client = Connect();
  const WireResponse response = Post(client, "none");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("Content-Type"), kEventStream);
  EXPECT_EQ(response.body, "");
}

TEST_F(GenerateStreamTest, FirstResponse_DecidesTheStatus) {
  ServeDecoupled("late", [](engine::Batch batch) {
    batch.requests[0]->Send(ResponseOf(*batch.requests[0]));
    batch.requests[0]->Finish(Internal("it \"broke\""));
  });
  ServeDecoupled("early",
                 [](engine::Batch batch) { batch.requests[0]->Finish(Unavailable("not now")); });
  ServeDecoupled("between", [](engine::Batch batch) {
    engine::InferResponse error;
    error.error = InvalidArgument("a bad one");
    batch.requests[0]->Send(std::move(error));
    batch.requests[0]->Send(ResponseOf(*batch.requests[0]));
    batch.requests[0]->Finish(OkStatus());
  });
  WireClient client = Connect();
  const WireResponse late = Post(client, "late");
  EXPECT_EQ(late.status, 200);
  EXPECT_THAT(late.body, HasSubstr("}\n\ndata: {\"error\":\"it \\\"broke\\\"\"}\n\n"));
  const WireResponse early = Post(client, "early");
  EXPECT_EQ(early.status, 503);
  EXPECT_EQ(early.Header("Content-Type"), kEventStream);
  EXPECT_EQ(early.Header("Retry-After"), "1");
  EXPECT_EQ(early.body, "data: {\"error\":\"not now\"}\n\n");
  const WireResponse between = Post(client, "between");
  EXPECT_EQ(between.status, 400);
  EXPECT_THAT(between.body, HasSubstr("data: {\"error\":\"a bad one\"}\n\ndata: {\"model_name\""));
  EXPECT_EQ(Metric("headrace_http_streams"), "0");
}

TEST_F(GenerateStreamTest, Refusals_AreOrdinaryErrors) {
  Serve(IdentityOptions("m"));
  WireClient client = Connect();
  const auto refused = [&](const std::string& model, std::string_view body, int status,
                           std::string_view text) {
    const WireResponse response = Post(client, model, body);
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.Header("Content-Type"), "application/json");
    EXPECT_FALSE(response.Header("Transfer-Encoding").has_value());
    EXPECT_THAT(response.body, HasSubstr(text));
  };
  refused("x", "{}", 404, "unknown model");
  refused("m/versions/9", "{}", 404, "error");
  refused("m", "{}", 400, "expected 1 inputs but got 0");
  refused("m", "no", 400, "error");
  refused("m", R"({"INPUT0":"a"})", 400, "INPUT0");
  EXPECT_EQ(client.Get("/v2/models/m/generate_stream").status, 405);
}

// Sends until nobody wants more, and says so.
class Endless {
 public:
  ExecuteFunction Function() {
    return [this](engine::Batch batch) {
      auto& request = batch.requests[0];
      while (!request->sink().Cancelled()) {
        request->Send(ResponseOf(*request));
      }
      request->Finish(OkStatus());
      const std::lock_guard lock(mutex_);
      ended_ = true;
      condition_.notify_all();
    };
  }
  void WaitEnded() {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return ended_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool ended_ = false;
};

TEST_F(GenerateStreamTest, ClientThatDoesNotRead_IsGivenUp_AndToldAtTheEnd) {
  Endless endless;
  ServeDecoupled("endless", endless.Function());
  WireClient client = Connect();
  std::string body = R"({"INPUT0":[1)";
  for (int i = 0; i < 1000; ++i) {
    body += ",1";
  }
  const std::string request = body + "]}";
  client.Send("POST /v2/models/endless/generate_stream HTTP/1.1\r\nHost: t\r\nContent-Length: " +
              std::to_string(request.size()) + "\r\n\r\n" + request);
  endless.WaitEnded();
  EXPECT_EQ(client.Receive().status, 200);
  const std::string events = client.ReceiveChunks();
  EXPECT_THAT(events.substr(events.size() - 300), HasSubstr("--http-stream-unsent-bytes-max"));
  EXPECT_EQ(Metric("headrace_http_stream_given_up_total"), "1");
  EXPECT_EQ(client.Get("/v2/health/live").status, 200);
}

TEST_F(GenerateStreamTest, ClientThatIsGone_CancelsTheRequest) {
  std::mutex mutex;
  std::condition_variable gone;
  bool seen = false;
  ServeDecoupled("slow", [&](engine::Batch batch) {
    auto& request = batch.requests[0];
    request->Send(ResponseOf(*request));
    while (!request->sink().Cancelled()) {
      std::this_thread::yield();
    }
    request->Finish(OkStatus());
    const std::lock_guard lock(mutex);
    seen = true;
    gone.notify_all();
  });
  {
    WireClient client = Connect();
    const WireResponse head = client.Post("/v2/models/slow/generate_stream", R"({"INPUT0":1})");
    EXPECT_EQ(head.status, 200);
  }
  std::unique_lock lock(mutex);
  EXPECT_TRUE(gone.wait_for(lock, std::chrono::seconds(20), [&] { return seen; }));
}

}  // namespace
}  // namespace headrace::frontend
