// SPDX-License-Identifier: Apache-2.0
// Sealed frames, frame headers and reports; also plaintexts that the fuzzer seals and signs first.
#include <algorithm>

#include "crypto/cose.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "protocol/frame.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using fuzz::must;
using fuzz::parties;
namespace sframe = crypto::sframe;

namespace {

constexpr auto suite = sframe::CipherSuite::aes_128_gcm_sha256_128;

void check_header(ByteView plaintext) {
  const auto header = parse_frame_header(plaintext);
  if (!header) return;
  SC_ASSERT(header->size() <= plaintext.size() && header->size() <= FrameHeader::max_size);
  Bytes known(plaintext.begin(), plaintext.begin() + static_cast<std::ptrdiff_t>(header->size()));
  known[2] = std::byte{0};  // receivers ignore the other flags and three reserved bytes
  known[3] &= std::byte{1};
  std::ranges::fill(MutableBytes(known).subspan(29, 3), std::byte{0});
  SC_ASSERT(equal(frame_plaintext(*header, {}), known));
}

void check_report(ByteView content) {
  const auto report = decode_report(content);
  if (report && report->fault != CameraFault::other) SC_ASSERT(equal(encode_report(*report), content));
}

void check_message(ByteView message) {
  const auto frame = [&] {
    const fuzz::AllocationLimit parsing_allocates_nothing(0);
    return parse_frame(message);
  }();
  if (!frame) return;
  SC_ASSERT(fuzz::inside(frame->protected_header, message) && fuzz::inside(frame->sealed, message));
  SC_ASSERT(fuzz::inside(frame->signature, message));
  // The specialized parser accepts only messages that the generic COSE parser accepts.
  const auto generic = crypto::cose::parse_sign1(message);
  SC_ASSERT(generic && equal(generic->payload, frame->sealed));
  const auto header = crypto::cose::parse_protected(generic->protected_header, kind_label);
  SC_ASSERT(header && equal(header->key_id, frame->signer.bytes()));
  SC_ASSERT(header->private_value == static_cast<std::int64_t>(frame->kind));
  const auto sealed = sframe::parse_header(frame->sealed);
  SC_ASSERT(sealed && sealed->header.kid == frame->epoch.value() && sealed->header.ctr == frame->counter.value());
  const FrameOpener opener(parties().route);
  if (!opener.verify(*frame, parties().camera.verifier())) return;
  SC_ASSERT(frame->signer == parties().camera.id());
}

void check_sealed(FrameKind kind, ByteView plaintext) {
  auto sealing = must(sframe::SealingKey::open(suite, Epoch(7), sframe::BaseKey()));
  const auto opening = must(sframe::OpeningKey::open(suite, Epoch(7), sframe::BaseKey()));
  const FrameSealer sealer(parties().route, parties().camera.keys().identity);
  Bytes room(sealer.message_size(sealing, std::max(plaintext.size(), std::size_t{64})));
  if (kind == FrameKind::delta) must(sealer.seal(room, sealing, FrameKind::key, {}));  // a counter before its own
  const auto message = must(sealer.seal(room, sealing, kind, plaintext));
  const auto parsed = parse_frame(message);
  if (plaintext.size() < FrameHeader::min_size) return SC_ASSERT(!parsed);
  const FrameView frame = must(parsed);
  SC_ASSERT(frame.kind == kind && frame.epoch == Epoch(7));
  SC_ASSERT(frame.counter == Counter(kind == FrameKind::delta ? 1 : 0));
  const FrameOpener opener(parties().route);
  SC_ASSERT(opener.verify(frame, parties().camera.verifier()).has_value());
  Bytes out(frame.sealed.size());
  const auto opened = opener.open(out, frame, opening);
  if (!opened) {
    SC_ASSERT(opened.error().code == Errc::malformed || opened.error().code == Errc::unsupported);
    return;
  }
  SC_ASSERT(fuzz::inside(opened->content, out));
  SC_ASSERT(equal(opened->content, plaintext.subspan(opened->header.size())));
  SC_ASSERT((kind == FrameKind::delta) == (opened->header.depends < frame.counter));
  SC_ASSERT((opened->header.codec == Codec::none) == (kind == FrameKind::report));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)parties();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  switch (choice % 4) {
    case 0: check_message(in.rest()); break;
    case 1: check_header(in.rest()); break;
    case 2: check_report(in.rest()); break;
    case 3: check_sealed(static_cast<FrameKind>(1 + choice / 4 % 4), in.rest()); break;
  }
  return 0;
}
