// SPDX-License-Identifier: Apache-2.0
/// An honest camera, and what it knows that a hub cannot: when each picture was really taken.
#pragma once

#include <map>
#include <vector>

#include "cast.hpp"
#include "core/log.hpp"
#include "protocol/frame.hpp"
#include "protocol/grants.hpp"
#include "protocol/status.hpp"
#include "protocol/topic.hpp"

namespace sealcam::fuzz {

using FrameName = std::pair<Epoch, Counter>;

struct Taken {
  protocol::FrameKind kind{};
  protocol::FrameHeader header;
  Bytes content;
  MonotonicTime when;
};

/// Grants are the same in all runs: HPKE is slow. Sealing keys begin anew with each run.
class HonestCamera {
 public:
  static constexpr std::size_t epochs = 4;
  static constexpr auto suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;

  HonestCamera() {
    for (std::size_t i = 0; i < epochs; ++i)
      keys_.push_back(must(crypto::sframe::SealingKey::open(suite, number(i), base_key(i))));
  }

  [[nodiscard]] static Epoch number(std::size_t i) { return Epoch(100 + i); }
  [[nodiscard]] static crypto::sframe::BaseKey base_key(std::size_t i) {
    return crypto::sframe::BaseKey(must(crypto::sha256(as_bytes("sealcam fuzz epoch " + std::to_string(i)))));
  }
  [[nodiscard]] static const Bytes& grants(std::size_t i) {
    static const auto* const all = [] {
      auto* made = new std::vector<Bytes>;
      for (std::size_t e = 0; e < epochs; ++e) {
        protocol::GrantContent content{base_key(e), "camera"};
        made->push_back(must(protocol::encode_grants(cast().roster(1), {}, number(e), suite, content, CaptureTime{},
                                                     cast().route, cast().camera.keys().identity)));
      }
      return made;
    }();
    return (*all)[i];
  }

  /// Takes a picture (or repeats the last key frame's as a still), seals it, remembers it.
  const Bytes& frame(std::size_t epoch, protocol::FrameKind kind, std::uint32_t left_out, protocol::Challenge echo,
                     MonotonicTime now) {
    Taken taken{kind, {}, {}, now};
    if (kind == protocol::FrameKind::still && last_key_[epoch]) taken = *last_key_[epoch];
    else taken = take(epoch, kind, left_out, echo, now);
    taken.kind = kind;
    went_back_ = went_back_ || (used_[epoch] && last_epoch_ != epoch);
    used_[epoch] = true;
    last_epoch_ = epoch;
    if (kind == protocol::FrameKind::key) last_key_[epoch] = taken;
    auto& key = keys_[epoch];
    genuine_.emplace(FrameName{number(epoch), key.next_counter()}, taken);
    made_.push_back(seal(key, cast().camera.keys().identity, taken));
    return made_.back();
  }

  [[nodiscard]] static Bytes seal(crypto::sframe::SealingKey& key, const crypto::SigningKey& signer,
                                  const Taken& taken) {
    Bytes plain(protocol::frame_header_size);
    protocol::write_frame_header(taken.header, plain);
    plain.insert(plain.end(), taken.content.begin(), taken.content.end());
    const protocol::FrameSealer sealer(cast().route, signer);
    Bytes room(sealer.message_size(key, plain.size()));
    must(sealer.seal(room, key, taken.kind, plain));
    return room;
  }

  [[nodiscard]] Counter next_counter(std::size_t epoch) const { return keys_[epoch].next_counter(); }
  /// It sealed in an epoch again after it had sealed in another one: no single camera does that.
  [[nodiscard]] bool went_back() const noexcept { return went_back_; }
  /// Frames in the order in which they were made.
  [[nodiscard]] const std::vector<Bytes>& made() const noexcept { return made_; }
  /// Null when the camera never made it.
  [[nodiscard]] const Taken* find(Epoch epoch, Counter counter) const {
    const auto found = genuine_.find({epoch, counter});
    return found == genuine_.end() ? nullptr : &found->second;
  }

 private:
  Taken take(std::size_t epoch, protocol::FrameKind kind, std::uint32_t left_out, protocol::Challenge echo,
             MonotonicTime now) {
    Taken taken{kind, {}, {}, now};
    taken.header.echo = echo;
    if (kind == protocol::FrameKind::report) {
      taken.header.codec = protocol::Codec::none;
      taken.header.number = FrameNumber(numbers_[epoch]);
      taken.content = protocol::encode_report({});
      return taken;
    }
    numbers_[epoch] += 1 + left_out;
    taken.header.number = FrameNumber(numbers_[epoch]);
    taken.header.width = 640;
    taken.header.height = 360;
    taken.header.captured = CaptureTime{std::chrono::duration_cast<std::chrono::microseconds>(now.since_boot)};
    const auto text = "picture " + std::to_string(genuine_.size());
    taken.content.assign(as_bytes(text).begin(), as_bytes(text).end());
    return taken;
  }

  std::vector<crypto::sframe::SealingKey> keys_;
  std::array<std::uint32_t, epochs> numbers_{};
  std::array<std::optional<Taken>, epochs> last_key_;
  std::array<bool, epochs> used_{};
  std::optional<std::size_t> last_epoch_;
  bool went_back_ = false;
  std::map<FrameName, Taken> genuine_;
  std::vector<Bytes> made_;
};

}  // namespace sealcam::fuzz
