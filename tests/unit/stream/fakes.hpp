// SPDX-License-Identifier: Apache-2.0
/// Stores and an MQTT client under the test's control.
#pragma once

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "stream/command_actions.hpp"
#include "stream/stores.hpp"
#include "transport/mqtt.hpp"

namespace sealcam::test {

class MemoryEpochStore final : public stream::EpochStore {
 public:
  std::uint32_t counter = 0;
  bool broken = false;
  int writes = 0;

 private:
  [[nodiscard]] Result<std::uint32_t> do_load() const override { return counter; }
  Result<> do_store(std::uint32_t value) override {
    if (broken) return fail(Errc::io, "the disk is full");
    ++writes;
    counter = value;
    return {};
  }
};

class MemoryRosterStore final : public stream::RosterStore {
 public:
  Bytes content;
  bool broken = false;

 private:
  [[nodiscard]] Result<Bytes> do_load() const override {
    if (content.empty()) return fail(Errc::not_found, "no roster");
    return content;
  }
  Result<> do_store(ByteView message) override {
    if (broken) return fail(Errc::io, "the disk is full");
    content.assign(message.begin(), message.end());
    return {};
  }
};

class MemoryCommandStore final : public stream::CommandStore {
 public:
  std::optional<stream::CommandRecord> content;
  int writes_left = -1;  ///< then the disk is full; below 0: never

 private:
  [[nodiscard]] Result<stream::CommandRecord> do_load() const override {
    if (!content) return fail(Errc::not_found, "no command");
    return *content;
  }
  Result<> do_store(const stream::CommandRecord& record) override {
    if (writes_left == 0) return fail(Errc::io, "the disk is full");
    if (writes_left > 0) --writes_left;
    content = record;
    return {};
  }
};

class MemoryPrivacyStore final : public stream::PrivacyStore {
 public:
  bool content = false;
  bool broken = false;

 private:
  [[nodiscard]] Result<bool> do_load() const override {
    if (broken) return fail(Errc::malformed, "damaged");
    return content;
  }
  Result<> do_store(bool on) override {
    if (broken) return fail(Errc::io, "the disk is full");
    content = on;
    return {};
  }
};

/// Writes down what it is told to do.
class FakeActions final : public stream::CommandActions {
 public:
  std::vector<std::string> done;
  bool broken = false;
  stream::Quality best;

 private:
  Result<> note(std::string what) {
    if (broken) return fail(Errc::io, "the disk is full");
    done.push_back(std::move(what));
    return {};
  }
  Result<> do_rename(std::string_view name) override { return note("name " + std::string(name)); }
  Result<stream::Quality> do_change(const protocol::CameraSettings& settings) override {
    if (auto r = note("settings"); !r) return std::unexpected(r.error());
    if (settings.bitrate) best.bitrate = *settings.bitrate;
    return best;
  }
  Result<> do_join(const protocol::Wifi& wifi) override { return note("wifi " + std::string(as_text(wifi.ssid))); }
};

/// Keeps what is published until the test answers it. With `hold` false a publish is answered by the
/// next settle().
class ManualClient final : public transport::MqttClient {
 public:
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
  std::vector<Sent> sent;
  std::deque<Waiting> waiting;
  std::vector<std::string> filters;
  bool is_connected = false;
  std::size_t unsent = 0;

  /// Answers the oldest; handlers may publish again.
  void answer(Result<> result = {}) {
    auto done = std::move(waiting.front().done);
    waiting.pop_front();
    done(std::move(result));
  }
  /// Answers the oldest publication to a topic that ends in `leaf`; false when there is none.
  bool answer(std::string_view leaf, Result<> result = {}) {
    for (auto it = waiting.begin(); it != waiting.end(); ++it) {
      if (!it->topic.ends_with(leaf)) continue;
      auto done = std::move(it->done);
      waiting.erase(it);
      done(std::move(result));
      return true;
    }
    return false;
  }
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
  void do_publish(const transport::Publication& p, PublishHandler done) override {
    sent.push_back({std::string(p.topic), Bytes(p.payload.begin(), p.payload.end()), p.qos, p.retain, p.expiry});
    waiting.push_back({std::string(p.topic), std::move(done)});
  }
  void do_subscribe(std::string_view filter, transport::Qos) override { filters.emplace_back(filter); }
  void do_unsubscribe(std::string_view) override {}
  [[nodiscard]] bool do_connected() const override { return is_connected; }
  [[nodiscard]] std::size_t do_in_flight() const override { return waiting.size(); }
  [[nodiscard]] std::size_t do_unsent_bytes() const override { return unsent; }
};

}  // namespace sealcam::test
