// SPDX-License-Identifier: Apache-2.0
// Seals or opens one frame several times. instructions.py counts the instructions of two runs with different numbers of
// rounds. All other work is the same in both runs, so the difference is the cost of the additional rounds.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "crypto/psa.hpp"
#include "protocol/frame.hpp"

using namespace sealcam;

namespace {

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "frame_cost: %s\n", to_string(result.error()).c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

struct Work {
  crypto::VolatileDevice device = must(crypto::VolatileDevice::generate());
  protocol::Route route{AccountId(), device.keys().identity.id()};
  crypto::sframe::BaseKey base{};
  crypto::sframe::SealingKey sealing = must(
      crypto::sframe::SealingKey::open(crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, protocol::Epoch(1), base));
  crypto::sframe::OpeningKey opening = must(
      crypto::sframe::OpeningKey::open(crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, protocol::Epoch(1), base));
  crypto::Verifier verifier = must(crypto::Verifier::open(device.keys().identity.public_key()));
  protocol::FrameSealer sealer{route, device.keys().identity};
  protocol::FrameOpener opener{route};
  Bytes plaintext, message, opened;

  explicit Work(std::size_t size) : plaintext(protocol::FrameHeader::min_size + size) {
    message.resize(plaintext.size() + 1024);
    opened.resize(plaintext.size() + 1024);
  }
  MutableBytes seal() {
    protocol::write_frame_header({.width = 1280,
                                  .height = 720,
                                  .captured = {},
                                  .number = FrameNumber(1),
                                  .depends = sealing.next_counter(),
                                  .echoes = {}},
                                 plaintext);
    return must(sealer.seal(message, sealing, protocol::FrameKind::key, plaintext));
  }
  void open(ByteView sealed) {
    const auto frame = must(protocol::parse_frame(sealed));
    must(opener.verify(frame, verifier));
    if (must(opener.open(opened, frame, opening)).content.size() + protocol::FrameHeader::min_size != plaintext.size())
      std::exit(1);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || !crypto::init()) {
    std::fprintf(stderr, "usage: frame_cost seal|open BYTES ROUNDS\n");
    return 64;
  }
  const bool sealing = std::string_view(argv[1]) == "seal";
  Work work(std::strtoul(argv[2], nullptr, 10));
  const auto rounds = std::strtoul(argv[3], nullptr, 10);
  const MutableBytes sealed = work.seal();  // initializes the library before the rounds
  work.open(sealed);
  for (unsigned long i = 0; i < rounds; ++i) {
    if (sealing) (void)work.seal();
    else work.open(sealed);
  }
}
