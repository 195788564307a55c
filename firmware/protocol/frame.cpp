// SPDX-License-Identifier: Apache-2.0
#include "protocol/frame.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

namespace sframe = crypto::sframe;

namespace {

constexpr std::size_t max_plaintext = 1U << 20;
constexpr std::uint8_t header_version = 1;

// {1: -7, 4: <20 bytes>, -65537: kind}, byte by byte (RFC 8949): the signer stands at 5, the kind last.
constexpr std::size_t protected_size = 31;
constexpr std::size_t signer_at = 5;
constexpr std::array<std::uint8_t, signer_at> protected_start{0xa3, 0x01, 0x26, 0x04, 0x54};
constexpr std::array<std::uint8_t, 5> protected_label{0x3a, 0x00, 0x01, 0x00, 0x00};

// Tag 18, array of four, byte string of protected_size.
constexpr std::array<std::uint8_t, 4> message_start{0xd2, 0x84, 0x58, protected_size};
// Byte string of 64.
constexpr std::array<std::uint8_t, 2> signature_start{0x58, 0x40};
constexpr std::size_t max_aad = 64;

using ProtectedHeader = std::array<std::byte, protected_size>;
/// external_aad and protected header one behind the other: SFrame's metadata.
using Metadata = std::array<std::byte, max_aad + protected_size>;

template <std::size_t N>
std::size_t put(MutableBytes out, const std::array<std::uint8_t, N>& bytes) {
  std::ranges::transform(bytes, out.begin(), [](std::uint8_t b) { return std::byte{b}; });
  return N;
}

template <std::size_t N>
bool starts_with(ByteView bytes, const std::array<std::uint8_t, N>& start) {
  return bytes.size() >= N &&
         std::ranges::equal(bytes.first(N), start, {}, [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
}

ProtectedHeader make_protected(const DeviceId& camera, FrameKind kind) {
  ProtectedHeader header;
  MutableBytes out(header);
  std::size_t at = put(out, protected_start);
  std::ranges::copy(camera.bytes(), out.begin() + static_cast<std::ptrdiff_t>(at));
  at += DeviceId::size;
  at += put(out.subspan(at), protected_label);
  header[at] = static_cast<std::byte>(kind);
  return header;
}

ByteView join(Metadata& room, ByteView aad, ByteView header) {
  SC_ASSERT(aad.size() <= max_aad && header.size() == protected_size);
  const auto end = std::ranges::copy(aad, room.begin()).out;
  std::ranges::copy(header, end);
  return ByteView(room).first(aad.size() + header.size());
}

/// Head of a byte string (RFC 8949 section 3), shortest form.
std::size_t string_head_size(std::size_t n) noexcept { return n < 24 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5; }

std::size_t put_string_head(MutableBytes out, std::size_t n) {
  const std::size_t size = string_head_size(n);
  switch (size) {
    case 1: out[0] = static_cast<std::byte>(0x40 | n); break;
    case 2:
      out[0] = std::byte{0x58};
      store_be(out.subspan(1), static_cast<std::uint8_t>(n));
      break;
    case 3:
      out[0] = std::byte{0x59};
      store_be(out.subspan(1), static_cast<std::uint16_t>(n));
      break;
    default:
      out[0] = std::byte{0x5a};
      store_be(out.subspan(1), static_cast<std::uint32_t>(n));
      break;
  }
  return size;
}

std::size_t message_size_for(std::size_t sealed) noexcept {
  return message_start.size() + protected_size + 1 + string_head_size(sealed) + sealed + signature_start.size() + 64;
}

}  // namespace

void write_frame_header(const FrameHeader& header, MutableBytes out) noexcept {
  SC_ASSERT(out.size() >= frame_header_size);
  const auto age = std::clamp<std::int64_t>(header.age.count(), 0, UINT32_MAX);
  out[0] = std::byte{header_version};
  out[1] = static_cast<std::byte>(header.codec);
  store_be(out.subspan(2), std::uint16_t{0});
  store_be(out.subspan(4), header.width);
  store_be(out.subspan(6), header.height);
  store_be(out.subspan(8), header.captured.since_epoch.count());
  store_be(out.subspan(16), header.number.value());
  store_be(out.subspan(20), static_cast<std::uint32_t>(age));
  store_be(out.subspan(24), header.echo.value());
}

Result<FrameHeader> parse_frame_header(ByteView in) noexcept {
  if (in.size() < frame_header_size) return fail(Errc::malformed, "frame header is cut short");
  if (in[0] != std::byte{header_version}) return fail(Errc::unsupported, "version of a frame header");
  if (std::to_integer<unsigned>(in[1]) > 1) return fail(Errc::malformed, "unknown codec in a frame header");
  if (load_be<std::uint16_t>(in.subspan(2)) != 0) return fail(Errc::malformed, "unknown flags in a frame header");
  FrameHeader header;
  header.codec = static_cast<Codec>(in[1]);
  header.width = load_be<std::uint16_t>(in.subspan(4));
  header.height = load_be<std::uint16_t>(in.subspan(6));
  header.captured = CaptureTime{std::chrono::microseconds(load_be<std::int64_t>(in.subspan(8)))};
  header.number = FrameNumber(load_be<std::uint32_t>(in.subspan(16)));
  header.age = std::chrono::milliseconds(load_be<std::uint32_t>(in.subspan(20)));
  header.echo = Challenge(load_be<std::uint64_t>(in.subspan(24)));
  return header;
}

FrameSealer::FrameSealer(const Route& route, const crypto::SigningKey& camera)
    : aad_(external_aad(MessageName::frame, route)), camera_(camera) {
  SC_ASSERT(aad_.size() <= max_aad);
}

std::size_t FrameSealer::message_size(const sframe::SealingKey& key, std::size_t plaintext_size) const noexcept {
  return message_size_for(key.sealed_size(plaintext_size));
}

Result<MutableBytes> FrameSealer::seal(MutableBytes out, sframe::SealingKey& key, FrameKind kind,
                                       ByteView plaintext) const {
  if (plaintext.size() > max_plaintext) return fail(Errc::invalid_argument, "frame is larger than 1 MiB");
  const std::size_t sealed_size = key.sealed_size(plaintext.size());
  const std::size_t total = message_size_for(sealed_size);
  SC_ASSERT(out.size() >= total);
  const ProtectedHeader header = make_protected(camera_.id(), kind);
  Metadata room;
  const ByteView metadata = join(room, aad_, header);

  std::size_t at = put(out, message_start);
  std::ranges::copy(header, out.begin() + static_cast<std::ptrdiff_t>(at));
  at += protected_size;
  out[at++] = std::byte{0xa0};
  at += put_string_head(out.subspan(at), sealed_size);
  const auto sealed = key.seal(out.subspan(at, sealed_size), metadata, plaintext);
  if (!sealed) return std::unexpected(sealed.error());
  SC_ASSERT(sealed->size() == sealed_size);
  at += sealed_size;

  const auto digest = crypto::cose::to_be_signed(header, aad_, *sealed);
  if (!digest) return std::unexpected(digest.error());
  const auto signature = camera_.sign(*digest);
  if (!signature) return std::unexpected(signature.error());
  at += put(out.subspan(at), signature_start);
  std::ranges::copy(*signature, out.begin() + static_cast<std::ptrdiff_t>(at));
  return out.first(total);
}

namespace {

/// Reads the head of a byte string whose content must take up everything up to `behind` bytes before the end.
Result<ByteView> sealed_part(ByteView rest, std::size_t behind) {
  for (std::size_t head : {1U, 2U, 3U, 5U}) {
    if (rest.size() < head + behind) break;
    const std::size_t content = rest.size() - head - behind;
    if (string_head_size(content) != head || content > UINT32_MAX) continue;
    std::array<std::byte, 5> expected;
    put_string_head(expected, content);
    if (equal(rest.first(head), ByteView(expected).first(head))) return rest.subspan(head, content);
  }
  return fail(Errc::malformed, "length of a frame");
}

}  // namespace

Result<FrameView> parse_frame(ByteView message) {
  if (message.size() > max_message_size) return fail(Errc::malformed, "frame is too large");
  if (message.size() < message_size_for(0)) return fail(Errc::malformed, "frame is cut short");
  if (!starts_with(message, message_start)) return fail(Errc::malformed, "frame is no COSE_Sign1 of ours");
  const ByteView header = message.subspan(message_start.size(), protected_size);
  const auto kind = std::to_integer<std::uint8_t>(header.back());
  if (!starts_with(header, protected_start) ||
      !starts_with(header.subspan(signer_at + DeviceId::size), protected_label) || kind < 1 || kind > 4)
    return fail(Errc::malformed, "protected header of a frame");
  const ByteView behind = message.subspan(message_start.size() + protected_size);
  if (behind.front() != std::byte{0xa0}) return fail(Errc::malformed, "unprotected header is not empty");
  const ByteView tail = message.last(signature_start.size() + 64);
  if (!starts_with(tail, signature_start)) return fail(Errc::malformed, "signature of a frame");
  const auto sealed = sealed_part(behind.subspan(1), tail.size());
  if (!sealed) return std::unexpected(sealed.error());
  const auto parsed = sframe::parse_header(*sealed);
  if (!parsed) return std::unexpected(parsed.error());
  if (sealed->size() < parsed->size + sframe::tag_size)
    return fail(Errc::malformed, "sealed part of a frame is cut short");
  return FrameView{DeviceId(header.subspan<signer_at, DeviceId::size>()),
                   static_cast<FrameKind>(kind),
                   Epoch(parsed->header.kid),
                   Counter(parsed->header.ctr),
                   header,
                   *sealed,
                   message.last<64>()};
}

FrameOpener::FrameOpener(const Route& route) : aad_(external_aad(MessageName::frame, route)) {}

Result<> FrameOpener::verify(const FrameView& frame, const crypto::Verifier& camera) const {
  if (frame.signer != camera.id()) return fail(Errc::wrong_key, "frame is signed in another name");
  const auto digest = crypto::cose::to_be_signed(frame.protected_header, aad_, frame.sealed);
  if (!digest) return std::unexpected(digest.error());
  return camera.verify(*digest, frame.signature);
}

Result<FrameOpener::Opened> FrameOpener::open(MutableBytes out, const FrameView& frame,
                                              const sframe::OpeningKey& key) const {
  Metadata room;
  const auto plaintext = key.open(out, join(room, aad_, frame.protected_header), frame.sealed);
  if (!plaintext) return std::unexpected(plaintext.error());
  const auto header = parse_frame_header(*plaintext);
  if (!header) return std::unexpected(header.error());
  const bool is_report = frame.kind == FrameKind::report;
  if (is_report != (header->codec == Codec::none)) return fail(Errc::malformed, "codec does not fit the kind of frame");
  return Opened{*header, plaintext->subspan(frame_header_size)};
}

Bytes encode_report(const Report& report) {
  crypto::CborWriter writer;
  writer.map(2).integer(1).unsigned_integer(report.roster_version.value()).integer(2).bytes(report.roster_hash);
  return writer.take();
}

Result<Report> decode_report(ByteView content) {
  crypto::CborReader reader(content);
  Report report;
  if (auto r = reader.map(2); !r) return std::unexpected(r.error());
  if (auto r = read_number(reader, 1, report.roster_version); !r) return std::unexpected(r.error());
  if (auto r = read_digest(reader, 2, report.roster_hash); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return report;
}

}  // namespace sealcam::protocol
