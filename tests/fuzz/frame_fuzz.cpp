// SPDX-License-Identifier: Apache-2.0
// Frames: the outside as it comes, frame header and report, and plaintext that is sealed and signed here first.
#include "cast.hpp"
#include "crypto/cose.hpp"
#include "input.hpp"
#include "protocol/frame.hpp"

using namespace sealcam;
using namespace sealcam::protocol;
using fuzz::cast;
using fuzz::must;
namespace sframe = crypto::sframe;

namespace {

constexpr auto suite = sframe::CipherSuite::aes_128_gcm_sha256_128;

void check_header(ByteView plaintext) {
  const auto header = parse_frame_header(plaintext);
  if (!header) return;
  std::array<std::byte, frame_header_size> again{};
  write_frame_header(*header, again);
  SC_ASSERT(equal(again, plaintext.first(frame_header_size)));
}

void check_report(ByteView content) {
  const auto report = decode_report(content);
  if (report) SC_ASSERT(equal(encode_report(*report), content));
}

void check_outside(ByteView message) {
  const auto frame = [&] {
    const fuzz::AllocationLimit parsing_allocates_nothing(0);
    return parse_frame(message);
  }();
  if (!frame) return;
  SC_ASSERT(fuzz::inside(frame->protected_header, message) && fuzz::inside(frame->sealed, message));
  SC_ASSERT(fuzz::inside(frame->signature, message));
  // Our own reader of fixed bytes takes nothing that a reader of the whole format refuses.
  const auto generic = crypto::cose::parse_sign1(message);
  SC_ASSERT(generic && equal(generic->payload, frame->sealed));
  const auto header = crypto::cose::parse_protected(generic->protected_header, kind_label);
  SC_ASSERT(header && equal(header->key_id, frame->signer.bytes()));
  SC_ASSERT(header->private_value == static_cast<std::int64_t>(frame->kind));
  const auto sealed = sframe::parse_header(frame->sealed);
  SC_ASSERT(sealed && sealed->header.kid == frame->epoch.value() && sealed->header.ctr == frame->counter.value());
  const FrameOpener opener(cast().route);
  if (!opener.verify(*frame, cast().camera.verifier())) return;
  SC_ASSERT(frame->signer == cast().camera.id());
}

void check_sealed(FrameKind kind, ByteView plaintext) {
  auto sealing = must(sframe::SealingKey::open(suite, Epoch(7), sframe::BaseKey()));
  const auto opening = must(sframe::OpeningKey::open(suite, Epoch(7), sframe::BaseKey()));
  const FrameSealer sealer(cast().route, cast().camera.keys().identity);
  Bytes room(sealer.message_size(sealing, plaintext.size()));
  const auto message = must(sealer.seal(room, sealing, kind, plaintext));
  const auto frame = must(parse_frame(message));
  SC_ASSERT(frame.kind == kind && frame.epoch == Epoch(7) && frame.counter == Counter(0));
  const FrameOpener opener(cast().route);
  SC_ASSERT(opener.verify(frame, cast().camera.verifier()).has_value());
  Bytes out(frame.sealed.size());
  const auto opened = opener.open(out, frame, opening);
  if (!opened) {
    SC_ASSERT(opened.error().code == Errc::malformed || opened.error().code == Errc::unsupported);
    return;
  }
  SC_ASSERT(fuzz::inside(opened->content, out));
  SC_ASSERT(equal(opened->content, plaintext.subspan(frame_header_size)));
  SC_ASSERT((opened->header.codec == Codec::none) == (kind == FrameKind::report));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)cast();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  switch (choice % 4) {
    case 0: check_outside(in.rest()); break;
    case 1: check_header(in.rest()); break;
    case 2: check_report(in.rest()); break;
    case 3: check_sealed(static_cast<FrameKind>(1 + choice / 4 % 4), in.rest()); break;
  }
  return 0;
}
