// SPDX-License-Identifier: Apache-2.0
/// A camera made of messages: signs and seals what a real one would, and everything that no honest one would send.
/// `camera.gop("IPPI").drop(2).flip_bit(1)` is a list of messages to be delivered.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "protocol/frame.hpp"
#include "protocol/grants.hpp"
#include "protocol/status.hpp"
#include "protocol/topic.hpp"
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
  /// Of the byte at `from_end` before the end; 0 is the last byte of the signature.
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

/// Keys of one epoch as its camera has them.
struct TestEpoch {
  Epoch epoch;
  protocol::GrantContent content;
  crypto::sframe::SealingKey key;
};

class StreamBuilder {
 public:
  /// The camera's messages are for `route`; both live longer. `signer` signs: another one makes forgeries.
  StreamBuilder(const protocol::Route& route, const Actor& camera)
      : route_(route), camera_(&camera), sealer_(route, camera.keys().identity) {}

  [[nodiscard]] TestEpoch make_epoch(std::uint64_t number) const {
    protocol::GrantContent content;
    must(crypto::random(content.base_key.fill()));
    content.camera_name = "camera " + std::to_string(number);
    auto key = must(crypto::sframe::SealingKey::open(suite, Epoch(number), content.base_key));
    return {Epoch(number), std::move(content), std::move(key)};
  }
  [[nodiscard]] Bytes grants(const TestEpoch& epoch, const protocol::Roster& roster) const {
    return must(protocol::encode_grants(roster, {}, epoch.epoch, suite, epoch.content, CaptureTime{}, route_,
                                        camera_->keys().identity));
  }
  [[nodiscard]] Bytes status(bool online, bool privacy = false) const {
    return must(protocol::encode_status({.online = online, .started = {}, .privacy = privacy}, route_,
                                        camera_->keys().identity));
  }

  struct Options {
    std::uint32_t number = 0;
    protocol::Challenge echo{};
    std::size_t size = 200;
    std::byte fill{0xab};
  };
  [[nodiscard]] Bytes frame(TestEpoch& epoch, protocol::FrameKind kind, const Options& options) const {
    const bool report = kind == protocol::FrameKind::report;
    const auto content = report ? protocol::encode_report({}) : Bytes(options.size, options.fill);
    Bytes plain(protocol::frame_header_size + content.size());
    protocol::FrameHeader header;
    header.codec = report ? protocol::Codec::none : protocol::Codec::h264_annex_b;
    header.width = report ? 0 : 1920;
    header.height = report ? 0 : 1080;
    header.captured = CaptureTime{std::chrono::seconds(1'790'000'000) + std::chrono::milliseconds(33) * options.number};
    header.number = FrameNumber(options.number);
    header.echo = options.echo;
    protocol::write_frame_header(header, plain);
    std::ranges::copy(content, MutableBytes(plain).subspan(protocol::frame_header_size).begin());
    Bytes out(sealer_.message_size(epoch.key, plain.size()));
    const auto message = must(sealer_.seal(out, epoch.key, kind, plain));
    return {message.begin(), message.end()};
  }

  /// I key, P delta, S still, R report. Every picture takes the next number; a still has its predecessor's.
  [[nodiscard]] Stream gop(TestEpoch& epoch, std::string_view kinds, protocol::Challenge echo = {}) {
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
  /// A picture that the sensor lost.
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
