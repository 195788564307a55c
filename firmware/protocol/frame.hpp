// SPDX-License-Identifier: Apache-2.0
/// A frame: one H.264 access unit with its header, sealed with SFrame (RFC 9605) and signed by the
/// camera (COSE_Sign1). Its few fixed bytes are written directly; nothing here allocates per frame.
///
///     COSE_Sign1 [ {1: -7, 4: camera, -65537: kind}, {}, SFrame(header | access unit), signature ]
///     SFrame: KID = epoch, CTR = counter, metadata = external_aad | protected header
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "core/clock.hpp"
#include "core/strong.hpp"
#include "crypto/sframe.hpp"
#include "protocol/ask.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::protocol {

/// In the clear, signed: a relay may know it, nobody may change it.
enum class FrameKind : std::uint8_t { key = 1, delta = 2, still = 3, report = 4 };

/// COSE header label of the kind; private use (RFC 9052 section 11.1: below -65536).
inline constexpr std::int64_t kind_label = -65537;

enum class Codec : std::uint8_t { none = 0, h264_annex_b = 1 };

/// First bytes of the plaintext; big-endian; README.md has the offsets.
struct FrameHeader {
  Codec codec = Codec::h264_annex_b;
  std::uint16_t width = 0;  ///< pixels; 0 in a report
  std::uint16_t height = 0;
  CaptureTime captured;  ///< by the camera's wall clock
  FrameNumber number;
  std::chrono::milliseconds age{0};  ///< from capture to sealing, by the camera's monotonic clock
  Challenge echo;
};
inline constexpr std::size_t frame_header_size = 32;

void write_frame_header(const FrameHeader& header, MutableBytes out) noexcept;
/// Errors: malformed (too short, flags not zero, codec unknown), unsupported (version).
[[nodiscard]] Result<FrameHeader> parse_frame_header(ByteView plaintext) noexcept;

/// Makes frames of one camera. Thread-bound.
class FrameSealer {
 public:
  FrameSealer(const Route& route, const crypto::SigningKey& camera);

  /// Size of the message that the next seal() of `plaintext_size` bytes makes.
  [[nodiscard]] std::size_t message_size(const crypto::sframe::SealingKey& key,
                                         std::size_t plaintext_size) const noexcept;

  /// Seals and signs header and access unit (already one behind the other in `plaintext`) into `out`,
  /// at least message_size() bytes, not overlapping; returns the message. Errors: exhausted, crypto,
  /// invalid_argument (plaintext larger than 1 MiB).
  [[nodiscard]] Result<MutableBytes> seal(MutableBytes out, crypto::sframe::SealingKey& key, FrameKind kind,
                                          ByteView plaintext) const;

 private:
  Bytes aad_;
  crypto::SigningKey camera_;
};

/// A frame's outside, not verified. Views into the message.
struct FrameView {
  DeviceId signer;  ///< as claimed
  FrameKind kind = FrameKind::delta;
  Epoch epoch;
  Counter counter;
  ByteView protected_header;
  ByteView sealed;
  std::span<const std::byte, 64> signature;
};
/// Errors: malformed (form, unprotected header not empty, larger than max_message_size).
[[nodiscard]] Result<FrameView> parse_frame(ByteView message);

/// Checks and opens frames of one camera. Thread-safe.
class FrameOpener {
 public:
  explicit FrameOpener(const Route& route);
  /// Errors: wrong_key (claimed signer is another device), bad_signature, crypto.
  [[nodiscard]] Result<> verify(const FrameView& frame, const crypto::Verifier& camera) const;
  struct Opened {
    FrameHeader header;
    MutableBytes content;  ///< access unit; part of `out`
  };
  /// `out`: at least frame.sealed.size() bytes. Errors: wrong_key (another epoch), not_decryptable, malformed.
  [[nodiscard]] Result<Opened> open(MutableBytes out, const FrameView& frame,
                                    const crypto::sframe::OpeningKey& key) const;

 private:
  Bytes aad_;
};

/// Content of FrameKind::report, CBOR behind a frame header: what the camera knows under a fresh challenge.
struct Report {
  RosterVersion roster_version;
  crypto::Digest roster_hash{};
};
[[nodiscard]] Bytes encode_report(const Report& report);
/// Errors: malformed.
[[nodiscard]] Result<Report> decode_report(ByteView content);

}  // namespace sealcam::protocol
