// SPDX-License-Identifier: Apache-2.0
/// A sealed frame: one H.264 access unit with its header, sealed with SFrame (RFC 9605) and signed by the camera
/// (COSE_Sign1). The code writes the fixed bytes directly and does not allocate for each frame.
///
///     COSE_Sign1 [ {1: -7, 4: camera, -65537: kind}, {}, SFrame(header | access unit), signature ]
///     SFrame: KID = epoch, CTR = counter, metadata = external_aad | protected header
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "protocol/envelope.hpp"
#include "protocol/status.hpp"

namespace sealcam::protocol {

/// Signed but not encrypted: a relay can read it and cannot change it.
enum class FrameKind : std::uint8_t { key = 1, delta = 2, still = 3, report = 4 };

/// COSE header label of the kind; private use (RFC 9052 section 11.1: below -65536).
inline constexpr std::int64_t kind_label = -65537;

enum class Codec : std::uint8_t { none = 0, h264_annex_b = 1 };

/// The challenges that a frame echoes: none is zero, and none is there twice. Has a fixed size in memory.
class Echoes {
 public:
  static constexpr std::size_t max = 16;
  Echoes() noexcept = default;
  Echoes(Challenge challenge) noexcept { (void)add(challenge); }  // NOLINT: a challenge is a list of one
  /// Returns false, and changes nothing, if the challenge is zero or known, or if the list is full.
  bool add(Challenge challenge) noexcept {
    if (challenge == Challenge() || contains(challenge) || size_ == max) return false;
    challenges_[size_++] = challenge;
    return true;
  }
  [[nodiscard]] bool contains(Challenge challenge) const noexcept {
    return std::ranges::find(*this, challenge) != end();
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] const Challenge* begin() const noexcept { return challenges_.data(); }
  [[nodiscard]] const Challenge* end() const noexcept { return challenges_.data() + size_; }
  friend bool operator==(const Echoes& a, const Echoes& b) noexcept { return std::ranges::equal(a, b); }

 private:
  std::array<Challenge, max> challenges_{};
  std::uint8_t size_ = 0;
};

/// The first bytes of the plaintext, big-endian. README.md lists the offsets.
struct FrameHeader {
  static constexpr std::size_t min_size = 32;
  static constexpr std::size_t max_size = min_size + 8 * Echoes::max;

  Codec codec = Codec::h264_annex_b;
  bool motion = false;
  std::uint16_t width = 0;  ///< pixels; 0 in a report
  std::uint16_t height = 0;
  CaptureTime captured;  ///< by the camera's wall clock
  FrameNumber number;
  std::chrono::milliseconds age{0};  ///< from capture to sealing, by the camera's monotonic clock
  Counter depends;  ///< of the video frame that a delta depends on; in every other kind the frame's own counter
  Echoes echoes;

  [[nodiscard]] std::size_t size() const noexcept { return size(echoes); }
  [[nodiscard]] static std::size_t size(const Echoes& echoes) noexcept { return min_size + 8 * echoes.size(); }
};

/// Writes header.size() bytes.
void write_frame_header(const FrameHeader& header, MutableBytes out) noexcept;
/// The header followed by the content.
[[nodiscard]] Bytes frame_plaintext(const FrameHeader& header, ByteView content);
/// Ignores unknown flags and reserved bytes. Errors: malformed (too short, codec unknown, echoed challenges too many,
/// zero or repeated), unsupported (version).
[[nodiscard]] Result<FrameHeader> parse_frame_header(ByteView plaintext) noexcept;

/// Seals and signs the frames of one camera. Thread-bound.
class FrameSealer {
 public:
  FrameSealer(const Route& route, const crypto::SigningKey& camera);

  /// Size of the next message with `plaintext_size` bytes.
  [[nodiscard]] std::size_t message_size(const crypto::sframe::SealingKey& key,
                                         std::size_t plaintext_size) const noexcept;

  /// Seals and signs `plaintext`, which is the header followed by the access unit. `out` has at least message_size()
  /// bytes and does not overlap. Returns the message. Errors: exhausted, crypto, invalid_argument (plaintext larger
  /// than 1 MiB).
  [[nodiscard]] Result<MutableBytes> seal(MutableBytes out, crypto::sframe::SealingKey& key, FrameKind kind,
                                          ByteView plaintext) const;

 private:
  Bytes aad_;
  crypto::SigningKey camera_;
};

/// The parts of a sealed frame before verification. Views into the message.
struct FrameView {
  DeviceId signer;  ///< not verified
  FrameKind kind = FrameKind::delta;
  Epoch epoch;
  Counter counter;
  ByteView protected_header;
  ByteView sealed;
  std::span<const std::byte, 64> signature;
};
/// Errors: malformed (form, unprotected header not empty, larger than max_message_size).
[[nodiscard]] Result<FrameView> parse_frame(ByteView message);

/// Verifies and opens the frames of one camera. Thread-safe.
class FrameOpener {
 public:
  explicit FrameOpener(const Route& route);
  /// Errors: wrong_key (another signer), bad_signature, crypto.
  [[nodiscard]] Result<> verify(const FrameView& frame, const crypto::Verifier& camera) const;
  struct Opened {
    FrameHeader header;
    MutableBytes content;  ///< access unit; part of `out`
  };
  /// `out`: at least frame.sealed.size() bytes. Errors: wrong_key (another epoch), not_decryptable, unsupported,
  /// malformed (also if the codec or `depends` does not fit the kind and the counter).
  [[nodiscard]] Result<Opened> open(MutableBytes out, const FrameView& frame,
                                    const crypto::sframe::OpeningKey& key) const;

 private:
  Bytes aad_;
};

/// Content of FrameKind::report, CBOR after the frame header: roster and state of the camera when it sealed the report.
/// The echo shows that this is after the hub made the challenge. A status shows no such thing.
struct Report {
  RosterVersion roster_version;
  crypto::Digest roster_hash{};
  std::optional<Nonce> nonce{};  ///< for one privacy-off request of the hub whose challenge the frame echoes
  bool privacy = false;          ///< the sensor is closed until an authorized request opens it
  std::optional<CameraFault> fault{};
  bool detects_motion = true;     ///< false: the detector is off, or the sensor encodes
  std::vector<PastRange> past{};  ///< a part of the frames that the camera keeps: at most PastRange::max, ascending
};
/// The nonce is not zero. An invalid list is left out, because a hub would reject the whole report.
[[nodiscard]] Bytes encode_report(const Report& report);
/// Errors: malformed.
[[nodiscard]] Result<Report> decode_report(ByteView content);

}  // namespace sealcam::protocol
