// SPDX-License-Identifier: Apache-2.0
/// Builds the messages of a camera, also invalid ones. For example `builder.gop(epoch, "IPPI").drop(2).flip_bit(1)` is
/// a list of messages to deliver.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"
#include "support/actors.hpp"

namespace sealcam::test {

/// Messages of one topic, in order.
class Stream {
 public:
  std::vector<Bytes> messages;

  Stream& drop(std::size_t index) {
    messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(index));
    return *this;
  }
  /// Flips a bit of the byte that is `from_end` bytes before the last one. 0 is the last byte of the signature.
  Stream& flip_bit(std::size_t index, std::size_t from_end = 100) {
    auto& m = messages.at(index);
    m.at(m.size() - 1 - from_end) ^= std::byte{1};
    return *this;
  }
  Stream& swap(std::size_t a, std::size_t b) {
    std::swap(messages.at(a), messages.at(b));
    return *this;
  }
};

/// The keys of one epoch, as the camera has them.
struct TestEpoch {
  protocol::Epoch epoch;
  protocol::GrantContent content;
  crypto::sframe::SealingKey key;
  protocol::Counter video{};  ///< newest key frame or delta
};

class StreamBuilder {
 public:
  /// `camera` signs the messages. With another device it makes forgeries. It must outlive the builder.
  StreamBuilder(const protocol::Route& route, const Actor& camera)
      : route_(route), camera_(&camera), sealer_(route, camera.keys().identity) {}

  [[nodiscard]] TestEpoch make_epoch(std::uint64_t number) const {
    protocol::GrantContent content;
    must(crypto::random(content.base_key.fill()));
    content.camera_name = "camera " + std::to_string(number);
    auto key = must(crypto::sframe::SealingKey::open(suite, protocol::Epoch(number), content.base_key));
    return {protocol::Epoch(number), std::move(content), std::move(key)};
  }
  [[nodiscard]] Bytes grants(const TestEpoch& epoch, const protocol::Roster& roster) const {
    return grants(epoch, roster, {});
  }
  using PrekeyOf = std::function<std::optional<protocol::Prekey>(const DeviceId& hub)>;
  [[nodiscard]] Bytes grants(const TestEpoch& epoch, const protocol::Roster& roster, PrekeyOf prekey) const {
    // The hash covers the payload, so any key may sign.
    const auto message = must(protocol::encode_roster(roster, route_, camera_->keys().identity));
    return must(protocol::encode_grants({.roster = roster,
                                         .content = epoch.content,
                                         .epoch = epoch.epoch,
                                         .roster_hash = must(protocol::roster_hash(message)),
                                         .prekey = std::move(prekey)},
                                        route_, camera_->keys().identity));
  }
  [[nodiscard]] Bytes status(bool online, bool privacy = false,
                             std::optional<protocol::CameraFault> fault = std::nullopt) const {
    return must(protocol::encode_status({.online = online, .started = {}, .privacy = privacy, .fault = fault}, route_,
                                        camera_->keys().identity));
  }

  struct Options {
    std::uint32_t number = 0;
    protocol::Echoes echo{};
    std::size_t size = 200;
    std::byte fill{0xab};
    std::optional<CaptureTime> captured{};  ///< default: from the number
    protocol::Report report{};
    std::optional<protocol::Counter> depends{};  ///< of a delta; without it, the newest key frame or delta
    std::uint16_t width = 1920, height = 1080;
    ByteView content{};  ///< of a picture; empty: `size` bytes of `fill`
    bool motion = false;
  };
  [[nodiscard]] Bytes frame(TestEpoch& epoch, protocol::FrameKind kind, const Options& options) const {
    const auto counter = epoch.key.next_counter();
    const bool delta = kind == protocol::FrameKind::delta;
    const bool report = kind == protocol::FrameKind::report;
    const auto content = report                    ? protocol::encode_report(options.report)
                         : options.content.empty() ? Bytes(options.size, options.fill)
                                                   : Bytes(options.content.begin(), options.content.end());
    protocol::FrameHeader header;
    header.codec = report ? protocol::Codec::none : protocol::Codec::h264_annex_b;
    header.motion = options.motion;
    header.width = report ? 0 : options.width;
    header.height = report ? 0 : options.height;
    header.captured = options.captured.value_or(
        CaptureTime{std::chrono::seconds(1'790'000'000) + std::chrono::milliseconds(33) * options.number});
    header.number = FrameNumber(options.number);
    header.depends = delta ? options.depends.value_or(epoch.video) : counter;
    header.echoes = options.echo;
    if (delta || kind == protocol::FrameKind::key) epoch.video = counter;
    const auto plain = protocol::frame_plaintext(header, content);
    Bytes out(sealer_.message_size(epoch.key, plain.size()));
    const auto message = must(sealer_.seal(out, epoch.key, kind, plain));
    return {message.begin(), message.end()};
  }

  /// I is a key frame, P a delta, S a still, R a report. Each key frame and delta has the next number. A still has the
  /// number of the picture before it.
  [[nodiscard]] Stream gop(TestEpoch& epoch, std::string_view kinds, const protocol::Echoes& echo = {}) {
    Stream stream;
    for (const char c : kinds) {
      const auto kind = c == 'I'   ? protocol::FrameKind::key
                        : c == 'P' ? protocol::FrameKind::delta
                        : c == 'S' ? protocol::FrameKind::still
                                   : protocol::FrameKind::report;
      if (c == 'I' || c == 'P') ++number_;
      stream.messages.push_back(frame(epoch, kind, {.number = number_, .echo = echo}));
    }
    return stream;
  }
  /// The sensor loses a picture.
  void lose_picture() { ++number_; }
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

 private:
  static constexpr auto suite = crypto::sframe::CipherSuite::aes_128_gcm_sha256_128;
  protocol::Route route_;
  const Actor* camera_;
  protocol::FrameSealer sealer_;
  std::uint32_t number_ = 0;
};

}  // namespace sealcam::test
