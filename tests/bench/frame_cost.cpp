// SPDX-License-Identifier: Apache-2.0
// Seals or opens one frame, or detects motion in one picture, several times. instructions.py counts the instructions of
// two runs with different numbers of rounds. All other work is the same in both runs, so the difference is the cost of
// the additional rounds.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "crypto/psa.hpp"
#include "protocol/frame.hpp"
#include "stream/capture/motion_detector.hpp"

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

/// Noise, so that each block is compared and few are alike. `height` of a picture of 16:9.
void detect_motion(int height, unsigned long rounds) {
  const hal::Size size{height * 16 / 9, height};
  const auto width = static_cast<std::size_t>(size.width);
  Bytes noise(width + 1024), samples(width * static_cast<std::size_t>(height + 64));
  std::uint32_t random = 1;
  for (std::byte& sample : noise) sample = static_cast<std::byte>((random = random * 1'664'525 + 1'013'904'223) >> 26);
  for (std::size_t y = 0; y * width < samples.size(); ++y)
    std::memcpy(samples.data() + y * width, noise.data() + y * 37 % 997, width);
  stream::MotionDetector detector;
  MonotonicTime now;
  for (unsigned long i = 0; i < rounds + 2; ++i) {
    now = now + stream::MotionDetector::interval;
    detector.update({samples.data() + i % 64 * width, width, size}, now);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || !crypto::init()) {
    std::fprintf(stderr, "usage: frame_cost seal|open BYTES ROUNDS, or: frame_cost motion HEIGHT ROUNDS\n");
    return 64;
  }
  if (std::string_view(argv[1]) == "motion") {
    detect_motion(std::atoi(argv[2]), std::strtoul(argv[3], nullptr, 10));
    return 0;
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
