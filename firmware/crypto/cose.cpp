// SPDX-License-Identifier: Apache-2.0
#include "crypto/cose.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"

namespace sealcam::crypto::cose {

namespace {

constexpr std::uint64_t sign1_tag = 18;  // RFC 9052 section 2

// Header labels, RFC 9052 section 3.1.
constexpr std::int64_t label_algorithm = 1;
constexpr std::int64_t label_critical = 2;
constexpr std::int64_t label_key_id = 4;

/// The signature of a message without protected parameters covers a zero-length string (RFC 9052 section 4.4). The
/// message itself may hold an empty map instead (section 3).
ByteView signed_form(ByteView protected_header) {
  const bool empty_map = protected_header.size() == 1 && protected_header[0] == std::byte{0xa0};
  return empty_map ? ByteView{} : protected_header;
}

/// Reads the value of an integer label.
Result<> read_parameter(CborReader& reader, std::int64_t label, std::int64_t private_label, ProtectedHeader& header) {
  if (label == label_critical) return fail(Errc::unsupported, "COSE header: critical parameters");
  if (label == label_algorithm) {
    if (reader.peek() == CborType::text) return fail(Errc::unsupported, "COSE algorithm");
    const auto algorithm = reader.integer();
    if (!algorithm) return std::unexpected(algorithm.error());
    header.algorithm = *algorithm;
    return {};
  }
  if (label == label_key_id) {
    const auto key_id = reader.bytes();
    if (!key_id) return std::unexpected(key_id.error());
    header.key_id = *key_id;
    return {};
  }
  if (label != private_label || label == 0) return reader.skip();
  const auto value = reader.integer();
  if (!value) return std::unexpected(value.error());
  header.private_value = *value;
  return {};
}

/// Reads a label and its value.
Result<> read_pair(CborReader& reader, std::int64_t private_label, ProtectedHeader& header) {
  if (reader.peek() == CborType::integer) {
    const auto label = reader.integer();
    if (!label) return std::unexpected(label.error());
    return read_parameter(reader, *label, private_label, header);
  }
  if (const auto label = reader.text(); !label) return std::unexpected(label.error());
  return reader.skip();
}

/// The encoded label of the next pair, to check the order of the map.
Result<ByteView> encoded_label(CborReader reader) {
  const auto before = reader.rest();
  if (auto r = reader.skip(); !r) return std::unexpected(r.error());
  return before.first(before.size() - reader.rest().size());
}

}  // namespace

Result<Sign1View> parse_sign1(ByteView message) {
  CborReader reader(message);
  const auto tag = reader.tag();
  if (!tag) return std::unexpected(tag.error());
  if (*tag != sign1_tag) return fail(Errc::malformed, "not a COSE_Sign1");
  if (auto r = reader.array(4); !r) return std::unexpected(r.error());
  const auto protected_header = reader.bytes();
  if (!protected_header) return std::unexpected(protected_header.error());
  if (reader.peek() != CborType::map) return fail(Errc::malformed, "COSE unprotected header is not a map");
  if (auto r = reader.skip(); !r) return std::unexpected(r.error());
  const auto payload = reader.bytes();
  if (!payload) return std::unexpected(payload.error());
  const auto signature = reader.bytes(64);
  if (!signature) return std::unexpected(signature.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return Sign1View{*protected_header, *payload, signature->first<64>()};
}

Result<ProtectedHeader> parse_protected(ByteView protected_header, std::int64_t private_label) {
  ProtectedHeader header;
  if (!protected_header.empty()) {
    CborReader reader(protected_header);
    const auto pairs = reader.map();
    if (!pairs) return std::unexpected(pairs.error());
    ByteView previous;
    for (std::size_t i = 0; i < *pairs; ++i) {
      const auto label = encoded_label(reader);
      if (!label) return std::unexpected(label.error());
      if (i > 0 && !std::ranges::lexicographical_compare(previous, *label))
        return fail(Errc::malformed, "COSE header parameters are not in order");
      previous = *label;
      if (auto r = read_pair(reader, private_label, header); !r) return std::unexpected(r.error());
    }
    if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  }
  if (header.algorithm != es256) return fail(Errc::unsupported, "COSE algorithm");
  return header;
}

Result<Digest> to_be_signed(ByteView protected_header, ByteView external_aad, ByteView payload) {
  static constexpr std::string_view start = "\x84\x6aSignature1";  // array(4), text(10)
  static_assert(start.size() == 2 + std::string_view("Signature1").size());
  const auto header = signed_form(protected_header);
  return Sha256()
      .update(as_bytes(start))
      .update(cbor_bytes_head(header.size()).view())
      .update(header)
      .update(cbor_bytes_head(external_aad.size()).view())
      .update(external_aad)
      .update(cbor_bytes_head(payload.size()).view())
      .update(payload)
      .finish();
}

Result<> verify_sign1(const Sign1View& message, ByteView external_aad, const Verifier& key) {
  if (const auto header = parse_protected(message.protected_header); !header) return std::unexpected(header.error());
  const auto digest = to_be_signed(message.protected_header, external_aad, message.payload);
  if (!digest) return std::unexpected(digest.error());
  return key.verify(*digest, message.signature);
}

Result<Bytes> sign1(const SigningKey& key, ByteView protected_header, ByteView external_aad, ByteView payload) {
  const auto digest = to_be_signed(protected_header, external_aad, payload);
  if (!digest) return std::unexpected(digest.error());
  const auto signature = key.sign(*digest);
  if (!signature) return std::unexpected(signature.error());
  CborWriter writer;
  writer.tag(sign1_tag).array(4).bytes(protected_header).map(0).bytes(payload).bytes(*signature);
  return writer.take();
}

}  // namespace sealcam::crypto::cose
