// SPDX-License-Identifier: Apache-2.0
/// The fake of MqttClient for unit tests.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "transport/mqtt/mqtt.hpp"

namespace sealcam::test {

/// Records publications and subscriptions. A publication waits until the test answers it, or succeeds at once.
/// Thread-bound.
class FakeMqttClient : public transport::MqttClient {
 public:
  enum class Answers : std::uint8_t { by_test, at_once };
  struct Sent {
    std::string topic;
    Bytes payload;
    transport::Qos qos;
    bool retain;
    std::chrono::seconds expiry;
  };
  struct Waiting {
    std::string topic;
    PublishHandler done;
  };

  explicit FakeMqttClient(Answers answers = Answers::by_test) : answers_(answers) { waiting.reserve(32); }

  std::vector<Sent> sent;
  std::vector<Waiting> waiting;  ///< the oldest first
  std::vector<std::string> filters;
  bool is_connected = false;
  transport::SendProgress progress;
  /// False: stores neither `sent` nor topics. Publications then allocate nothing.
  bool recording = true;
  std::size_t published = 0;
  /// Called for each publication, before it is answered.
  std::function<void(const transport::Publication&)> on_publish;

  /// Answers the oldest publication. Its handler may publish again.
  void answer(Result<> result = {}) { answer_at(0, std::move(result)); }
  /// Answers the oldest publication to a topic that ends in `leaf`. Returns false if there is none.
  bool answer(std::string_view leaf, Result<> result = {}) {
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (!waiting[i].topic.ends_with(leaf)) continue;
      answer_at(i, std::move(result));
      return true;
    }
    return false;
  }
  /// Answers all publications, also those that the handlers add.
  void settle() {
    while (!waiting.empty()) answer();
  }
  [[nodiscard]] std::vector<const Sent*> on(std::string_view leaf) const {
    std::vector<const Sent*> found;
    for (const Sent& s : sent)
      if (s.topic.ends_with(leaf)) found.push_back(&s);
    return found;
  }

 private:
  void answer_at(std::size_t index, Result<> result) {
    auto done = std::move(waiting.at(index).done);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(index));
    done(std::move(result));
  }
  void do_publish(const transport::Publication& p, PublishHandler done) override {
    ++published;
    if (on_publish) on_publish(p);
    if (recording)
      sent.push_back({std::string(p.topic), Bytes(p.payload.begin(), p.payload.end()), p.qos, p.retain, p.expiry});
    if (answers_ == Answers::at_once) return done({});
    waiting.push_back({recording ? std::string(p.topic) : std::string(), std::move(done)});
  }
  void do_subscribe(std::string_view filter, transport::Qos) override { filters.emplace_back(filter); }
  void do_unsubscribe(std::string_view filter) override { std::erase(filters, filter); }
  [[nodiscard]] bool do_connected() const override { return is_connected; }
  [[nodiscard]] std::size_t do_in_flight() const override { return waiting.size(); }
  [[nodiscard]] transport::SendProgress do_send_progress() const override { return progress; }

  Answers answers_;
};

}  // namespace sealcam::test
