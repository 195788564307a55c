// SPDX-License-Identifier: Apache-2.0
/// A fault of the relay between cameras and hubs. Each published incident has one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace sealcam::incident {

/// Kind of picture in a message, as an observer without keys can determine it.
enum class Kind : std::uint8_t { still, key, delta, other };

/// A picture as it leaves the relay.
struct Handed {
  std::shared_ptr<const Bytes> message;
  std::uint32_t source = 0;  ///< account of the camera that made it
  std::uint32_t to = 0;      ///< account of the hub that receives it
  bool cached = false;       ///< taken from a cache
  bool damaged = false;
};

/// The accounts of a wave: first to last - 1. Each has one camera and one hub. Accounts of other waves are not
/// connected.
struct Wave {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  [[nodiscard]] std::uint32_t size() const noexcept { return last - first; }
};

/// Chooses what the relay delivers, and sends no messages. Keeps its caches over all waves. Thread-bound.
class Fault {
 public:
  virtual ~Fault() = default;

  /// The devices of the wave connect. Earlier ones are gone.
  void begin_wave(const Wave& wave) {
    wave_ = wave;
    round_ = 0;
    online_.clear();
    do_begin_wave();
  }
  /// Each hub of the wave sends one request in each round. Rounds start at 1.
  void begin_round(unsigned round) {
    round_ = round;
    do_begin_round();
  }
  /// All devices of one broker lose their connection and come back.
  void on_restart() {
    online_.clear();
    do_on_restart();
  }
  /// The camera reported that it is online.
  void on_online(std::uint32_t account) {
    online_.insert(account);
    do_on_online(account);
  }
  /// Cameras that reported it since the start of the wave or the restart.
  [[nodiscard]] std::size_t online() const noexcept { return online_.size(); }
  /// The account's hub requests pictures.
  void on_request(std::uint32_t account) { do_on_request(account); }
  /// A picture of the account's camera arrived. Returns the messages for all hubs.
  [[nodiscard]] std::vector<Handed> pass(std::uint32_t account, Kind kind, ByteView message) {
    return do_pass(account, kind, message);
  }
  /// Other accounts whose hubs receive this camera's grants and status too.
  [[nodiscard]] std::vector<std::uint32_t> viewers(std::uint32_t camera) const { return do_viewers(camera); }
  /// Other accounts whose cameras receive this hub's requests too.
  [[nodiscard]] std::vector<std::uint32_t> cameras(std::uint32_t hub) const { return do_cameras(hub); }
  /// The account has no camera any more, because it was sold.
  [[nodiscard]] bool camera_gone(std::uint32_t account) const { return do_camera_gone(account); }

  /// The model in sentences, with its figures. All of it is inferred.
  [[nodiscard]] std::vector<std::string> model() const { return do_model(); }
  /// For the report, by name.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const noexcept { return counts_; }

 protected:
  [[nodiscard]] const Wave& wave() const noexcept { return wave_; }
  [[nodiscard]] unsigned round() const noexcept { return round_; }
  void count(const std::string& name, std::uint64_t n = 1) { counts_[name] += n; }

 private:
  virtual void do_begin_wave() {}
  virtual void do_begin_round() {}
  virtual void do_on_restart() {}
  virtual void do_on_online(std::uint32_t) {}
  virtual void do_on_request(std::uint32_t) {}
  [[nodiscard]] virtual std::vector<Handed> do_pass(std::uint32_t account, Kind kind, ByteView message) = 0;
  [[nodiscard]] virtual std::vector<std::uint32_t> do_viewers(std::uint32_t) const { return {}; }
  [[nodiscard]] virtual std::vector<std::uint32_t> do_cameras(std::uint32_t) const { return {}; }
  [[nodiscard]] virtual bool do_camera_gone(std::uint32_t) const { return false; }
  [[nodiscard]] virtual std::vector<std::string> do_model() const = 0;

  Wave wave_;
  unsigned round_ = 0;
  std::set<std::uint32_t> online_;
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace sealcam::incident
