// SPDX-License-Identifier: Apache-2.0
/// A camera that follows the protocol. It records the true capture time of each picture, which a hub cannot know.
#pragma once

#include <map>
#include <vector>

#include "base/log.hpp"
#include "parties.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"

namespace sealcam::fuzz {

using FrameName = std::pair<protocol::Epoch, protocol::Counter>;

struct Taken {
  protocol::FrameKind kind{};
  protocol::FrameHeader header;
  Bytes content;
  MonotonicTime when;
};

/// All runs use the same grants, because HPKE is slow. Each run creates new sealing keys.
class HonestCamera {
 public:
  static constexpr std::size_t epochs = 4;
  static constexpr auto suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;

  HonestCamera() {
    for (std::size_t i = 0; i < epochs; ++i)
      keys_.push_back(must(crypto::sframe::SealingKey::open(suite, number(i), base_key(i))));
  }

  [[nodiscard]] static protocol::Epoch number(std::size_t i) { return protocol::Epoch(100 + i); }
  [[nodiscard]] static crypto::sframe::BaseKey base_key(std::size_t i) {
    return crypto::sframe::BaseKey(must(crypto::sha256(as_bytes("sealcam fuzz epoch " + std::to_string(i)))));
  }
  [[nodiscard]] static const Bytes& grants(std::size_t i) {
    static const auto* const all = [] {
      auto* made = new std::vector<Bytes>;
      for (std::size_t e = 0; e < epochs; ++e) {
        protocol::GrantContent content{base_key(e), "camera"};
        made->push_back(
            must(protocol::encode_grants({.roster = parties().roster(1), .content = content, .epoch = number(e)},
                                         parties().route, parties().camera.keys().identity)));
      }
      return made;
    }();
    return (*all)[i];
  }

  /// Takes a picture, or repeats the last key frame as a still. Seals and records it. A report proves a closed sensor
  /// if `skipped` is odd, and lists kept frames if it is at least 4.
  const Bytes& frame(std::size_t epoch, protocol::FrameKind kind, std::uint32_t skipped, protocol::Challenge echo,
                     MonotonicTime now) {
    Taken taken{kind, {}, {}, now};
    if (kind == protocol::FrameKind::still && last_key_[epoch]) taken = *last_key_[epoch];
    else taken = take(epoch, kind, skipped, echo, now);
    taken.kind = kind;
    if (kind == protocol::FrameKind::report && skipped % 2 != 0) closed_at_ = now;
    const auto counter = keys_[epoch].next_counter();
    const bool delta = kind == protocol::FrameKind::delta;
    taken.header.depends = delta ? video_[epoch] : counter;
    if (delta || kind == protocol::FrameKind::key) video_[epoch] = counter;
    went_back_ = went_back_ || (used_[epoch] && last_epoch_ != epoch);
    used_[epoch] = true;
    last_epoch_ = epoch;
    if (kind == protocol::FrameKind::key) last_key_[epoch] = taken;
    auto& key = keys_[epoch];
    genuine_.emplace(FrameName{number(epoch), counter}, taken);
    made_.push_back(seal(key, parties().camera.keys().identity, taken));
    return made_.back();
  }

  [[nodiscard]] static Bytes seal(crypto::sframe::SealingKey& key, const crypto::SigningKey& signer,
                                  const Taken& taken) {
    const auto plain = protocol::frame_plaintext(taken.header, taken.content);
    const protocol::FrameSealer sealer(parties().route, signer);
    Bytes room(sealer.message_size(key, plain.size()));
    must(sealer.seal(room, key, taken.kind, plain));
    return room;
  }

  [[nodiscard]] protocol::Counter next_counter(std::size_t epoch) const { return keys_[epoch].next_counter(); }
  /// Returns whether the camera returned to an earlier epoch. A single camera never does.
  [[nodiscard]] bool went_back() const noexcept { return went_back_; }
  /// When the camera last sealed a report about a closed sensor.
  [[nodiscard]] std::optional<MonotonicTime> closed_at() const noexcept { return closed_at_; }
  /// Frames in the order of sealing.
  [[nodiscard]] const std::vector<Bytes>& made() const noexcept { return made_; }
  /// Returns null if the camera did not seal this frame.
  [[nodiscard]] const Taken* find(protocol::Epoch epoch, protocol::Counter counter) const {
    const auto found = genuine_.find({epoch, counter});
    return found == genuine_.end() ? nullptr : &found->second;
  }

 private:
  Taken take(std::size_t epoch, protocol::FrameKind kind, std::uint32_t skipped, protocol::Challenge echo,
             MonotonicTime now) {
    Taken taken{kind, {}, {}, now};
    taken.header.echoes = echo;
    if (kind == protocol::FrameKind::report) {
      taken.header.codec = protocol::Codec::none;
      taken.header.number = FrameNumber(numbers_[epoch]);
      // Also lists the frames of all epochs that it sealed so far.
      std::vector<protocol::PastRange> kept;
      for (std::size_t i = 0; i < epochs && skipped >= 4; ++i)
        if (const auto next = keys_[i].next_counter(); next.value() > 0)
          kept.push_back({number(i), {}, protocol::Counter(next.value() - 1)});
      taken.content = protocol::encode_report({{}, {}, {}, skipped % 2 != 0, {}, true, kept});
      return taken;
    }
    numbers_[epoch] += 1 + skipped;
    taken.header.number = FrameNumber(numbers_[epoch]);
    taken.header.width = 640;
    taken.header.height = 360;
    taken.header.captured = CaptureTime{std::chrono::duration_cast<std::chrono::microseconds>(now.since_boot)};
    const auto text = "picture " + std::to_string(genuine_.size());
    taken.content.assign(as_bytes(text).begin(), as_bytes(text).end());
    return taken;
  }

  std::vector<crypto::sframe::SealingKey> keys_;
  std::array<std::uint32_t, epochs> numbers_{0, 0xffff'fffa, 0x7fff'fffa, 0};  // some wrap, some are large
  std::array<std::optional<Taken>, epochs> last_key_;
  std::array<bool, epochs> used_{};
  std::array<protocol::Counter, epochs> video_{};  ///< newest key frame or delta
  std::optional<std::size_t> last_epoch_;
  bool went_back_ = false;
  std::optional<MonotonicTime> closed_at_;
  std::map<FrameName, Taken> genuine_;
  std::vector<Bytes> made_;
};

}  // namespace sealcam::fuzz
