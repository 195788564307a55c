// SPDX-License-Identifier: Apache-2.0
#include "protocol/frame.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

namespace sframe = crypto::sframe;

namespace {

constexpr std::uint8_t header_version = 1;
constexpr std::uint16_t motion_flag = 1;

// The encoded map {1: -7, 4: <20 bytes>, -65537: kind} (RFC 8949). The signer starts at 5, the kind is the last byte.
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
/// The metadata of SFrame: external_aad followed by the protected header.
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
  SC_ASSERT(out.size() >= header.size() && header.depends.value() <= UINT32_MAX);
  const auto age = std::clamp<std::int64_t>(header.age.count(), 0, UINT32_MAX);
  out[0] = std::byte{header_version};
  out[1] = static_cast<std::byte>(header.codec);
  store_be(out.subspan(2), header.motion ? motion_flag : std::uint16_t{0});
  store_be(out.subspan(4), header.width);
  store_be(out.subspan(6), header.height);
  store_be(out.subspan(8), header.captured.since_epoch.count());
  store_be(out.subspan(16), header.number.value());
  store_be(out.subspan(20), static_cast<std::uint32_t>(age));
  store_be(out.subspan(24), static_cast<std::uint32_t>(header.depends.value()));
  store_be(out.subspan(28), static_cast<std::uint32_t>(header.echoes.size() << 24));  // and three reserved bytes
  std::size_t at = FrameHeader::min_size;
  for (const Challenge challenge : header.echoes) {
    store_be(out.subspan(at), challenge.value());
    at += 8;
  }
}

Bytes frame_plaintext(const FrameHeader& header, ByteView content) {
  Bytes plaintext(header.size());
  write_frame_header(header, plaintext);
  plaintext.insert(plaintext.end(), content.begin(), content.end());
  return plaintext;
}

Result<FrameHeader> parse_frame_header(ByteView in) noexcept {
  if (in.size() < FrameHeader::min_size) return fail(Errc::malformed, "frame header is truncated");
  if (in[0] != std::byte{header_version}) return fail(Errc::unsupported, "unknown version of a frame header");
  if (std::to_integer<unsigned>(in[1]) > 1) return fail(Errc::malformed, "unknown codec in a frame header");
  FrameHeader header;
  header.codec = static_cast<Codec>(in[1]);
  header.motion = (load_be<std::uint16_t>(in.subspan(2)) & motion_flag) != 0;
  header.width = load_be<std::uint16_t>(in.subspan(4));
  header.height = load_be<std::uint16_t>(in.subspan(6));
  header.captured = CaptureTime{std::chrono::microseconds(load_be<std::int64_t>(in.subspan(8)))};
  header.number = FrameNumber(load_be<std::uint32_t>(in.subspan(16)));
  header.age = std::chrono::milliseconds(load_be<std::uint32_t>(in.subspan(20)));
  header.depends = Counter(load_be<std::uint32_t>(in.subspan(24)));
  const auto echoed = std::to_integer<std::size_t>(in[28]);
  if (echoed > Echoes::max) return fail(Errc::malformed, "frame echoes too many challenges");
  if (in.size() < FrameHeader::min_size + 8 * echoed) return fail(Errc::malformed, "frame header is truncated");
  for (std::size_t i = 0; i < echoed; ++i)
    if (!header.echoes.add(Challenge(load_be<std::uint64_t>(in.subspan(FrameHeader::min_size + 8 * i)))))
      return fail(Errc::malformed, "frame echoes a challenge twice, or zero");
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
  if (plaintext.size() > limits::max_frame_plaintext) return fail(Errc::invalid_argument, "frame is larger than 1 MiB");
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

/// Reads the head of a byte string. Its content must end `behind` bytes before the end.
Result<ByteView> sealed_part(ByteView rest, std::size_t behind) {
  for (std::size_t head : {1U, 2U, 3U, 5U}) {
    if (rest.size() < head + behind) break;
    const std::size_t content = rest.size() - head - behind;
    if (string_head_size(content) != head || content > UINT32_MAX) continue;
    std::array<std::byte, 5> expected;
    put_string_head(expected, content);
    if (equal(rest.first(head), ByteView(expected).first(head))) return rest.subspan(head, content);
  }
  return fail(Errc::malformed, "frame has a wrong length field");
}

}  // namespace

Result<FrameView> parse_frame(ByteView message) {
  if (message.size() > max_message_size) return fail(Errc::malformed, "frame is too large");
  if (message.size() < message_size_for(0)) return fail(Errc::malformed, "frame is truncated");
  if (!starts_with(message, message_start)) return fail(Errc::malformed, "frame does not start like a Sealcam frame");
  const ByteView header = message.subspan(message_start.size(), protected_size);
  const auto kind = std::to_integer<std::uint8_t>(header.back());
  if (!starts_with(header, protected_start) ||
      !starts_with(header.subspan(signer_at + DeviceId::size), protected_label) || kind < 1 || kind > 4)
    return fail(Errc::malformed, "frame has an unexpected protected header");
  const ByteView behind = message.subspan(message_start.size() + protected_size);
  if (behind.front() != std::byte{0xa0}) return fail(Errc::malformed, "unprotected header is not empty");
  const ByteView tail = message.last(signature_start.size() + 64);
  if (!starts_with(tail, signature_start)) return fail(Errc::malformed, "frame has no signature");
  const auto sealed = sealed_part(behind.subspan(1), tail.size());
  if (!sealed) return std::unexpected(sealed.error());
  const auto parsed = sframe::parse_header(*sealed);
  if (!parsed) return std::unexpected(parsed.error());
  const std::size_t least = parsed->size + FrameHeader::min_size + sframe::tag_size;
  if (sealed->size() < least) return fail(Errc::malformed, "sealed part of a frame is truncated");
  if (sealed->size() > parsed->size + limits::max_frame_plaintext + sframe::tag_size)
    return fail(Errc::malformed, "sealed part of a frame is too large");
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
  if (frame.signer != camera.id()) return fail(Errc::wrong_key, "frame names another signer");
  const auto digest = crypto::cose::to_be_signed(frame.protected_header, aad_, frame.sealed);
  if (!digest) return std::unexpected(digest.error());
  return camera.verify(*digest, frame.signature);
}

/// A delta depends on an earlier frame, every other frame on none. Counters have 32 bits.
static bool depends_fits(const FrameView& frame, Counter depends) noexcept {
  if (frame.counter.value() > UINT32_MAX) return false;
  return frame.kind == FrameKind::delta ? depends < frame.counter : depends == frame.counter;
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
  if (!depends_fits(frame, header->depends))
    return fail(Errc::malformed, "frame depends on a counter that does not fit its kind");
  return Opened{*header, plaintext->subspan(header->size())};
}

Bytes encode_report(const Report& report) {
  const bool lists = fits(std::span(report.past));
  crypto::CborWriter writer;
  writer.map(2U + (report.nonce ? 1U : 0U) + (report.privacy ? 1U : 0U) + (report.fault ? 1U : 0U) +
             (report.detects_motion ? 0U : 1U) + (lists ? 1U : 0U));
  writer.integer(1).unsigned_integer(report.roster_version.value());
  writer.integer(2).bytes(report.roster_hash);
  if (report.nonce) write_eight_bytes(writer.integer(3), *report.nonce);
  if (report.privacy) writer.integer(4).boolean(true);
  if (report.fault) writer.integer(5).integer(static_cast<int>(*report.fault));
  if (!report.detects_motion) writer.integer(6).boolean(true);
  if (lists) write_past(writer.integer(7), report.past);
  return writer.take();
}

/// The optional fields, in their order.
static Result<> read_optional(crypto::CborReader& reader, std::uint64_t count, Report& report) {
  for (std::int64_t last = 2; count > 0; --count) {
    const auto key = reader.integer();
    if (!key) return std::unexpected(key.error());
    if (*key <= last || *key > 7) return fail(Errc::malformed, "report has unknown or missing fields");
    last = *key;
    Result<> read;
    if (last == 3) read = read_eight_bytes(reader, report.nonce.emplace());
    if (last == 4 || last == 6) read = read_true(reader);
    report.privacy |= last == 4;
    if (last == 5) read = read_fault(reader, report.fault.emplace());
    report.detects_motion &= last != 6;
    if (last == 7) read = read_past(reader, report.past);
    if (!read) return read;
  }
  return {};
}

Result<Report> decode_report(ByteView content) {
  crypto::CborReader reader(content);
  Report report;
  const auto pairs = reader.map();
  if (!pairs) return std::unexpected(pairs.error());
  if (*pairs < 2 || *pairs > 7) return fail(Errc::malformed, "report has unknown or missing fields");
  if (auto r = read_number(reader, 1, report.roster_version); !r) return std::unexpected(r.error());
  if (auto r = read_digest(reader, 2, report.roster_hash); !r) return std::unexpected(r.error());
  if (auto r = read_optional(reader, *pairs - 2, report); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return report;
}

}  // namespace sealcam::protocol
