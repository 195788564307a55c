// SPDX-License-Identifier: Apache-2.0
// A file with frames that a camera kept, after a power cut or a fault of the card. What open() leaves is read again as
// whole frames of the camera, and a second open() finds the same. New frames can follow.
#include "device/past_store.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "protocol/frame.hpp"
#include "scratch.hpp"

using namespace sealcam;
using namespace sealcam::device;
using fuzz::must;
using fuzz::parties;

namespace {

constexpr Epoch epoch{7};

void append(Bytes& file, ByteView item, std::uint32_t size) {
  std::array<std::byte, 4> head{};
  store_be(head, size);
  file.insert(file.end(), head.begin(), head.end());
  file.insert(file.end(), item.begin(), item.end());
}

/// Grants, frames of the camera, and other bytes, behind sizes that the input may change.
Bytes file_of(fuzz::Input& in) {
  static const protocol::FrameSealer sealer(parties().route, parties().camera.keys().identity);
  auto key = must(crypto::sframe::SealingKey::open(crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, epoch, {}));
  Bytes file;
  for (int i = 0; i < 8 && !in.empty(); ++i) {
    const auto choice = in.byte();
    if (choice < 64) {
      const auto raw = in.take(choice);
      append(file, raw, choice < 8 ? in.number<std::uint32_t>() : static_cast<std::uint32_t>(raw.size()));
      continue;
    }
    protocol::FrameHeader header;
    header.depends = key.next_counter();
    const auto plain = protocol::frame_plaintext(header, in.take(choice % 32));
    Bytes room(sealer.message_size(key, plain.size()));
    Bytes message;
    const auto sealed = must(sealer.seal(room, key, protocol::FrameKind::key, plain));
    message.assign(sealed.begin(), sealed.end());
    if (choice % 4 == 0) message[in.byte() % message.size()] ^= std::byte{1};
    append(file, message, static_cast<std::uint32_t>(message.size()));
  }
  if (!in.empty()) file.resize(file.size() - std::min<std::size_t>(file.size(), in.byte()));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  fuzz::Input in(data, size);
  const bool raw = in.byte() % 2 == 0;
  const auto rest = raw ? in.rest() : ByteView();
  const Bytes content = raw ? Bytes(rest.begin(), rest.end()) : file_of(in);
  const auto folder = fuzz::scratch().path() / "past";
  std::filesystem::remove_all(folder);
  const std::string below = "past/kept-0000000000000000/0000000000000007";
  std::filesystem::create_directories(fuzz::scratch().path() / below);
  fuzz::scratch().put(below + "/grants", "grants");  // the store does not read them
  fuzz::scratch().put(below + "/00000000.past", as_text(content));
  const PastLimits limits{.bytes = 1U << 20, .file = 64U << 10, .reserve = 0};
  const auto open = [&] {
    return must(PastFolder::open(folder, limits, parties().route, parties().camera.identity(), {}));
  };
  auto store = open();
  const auto ranges = store.ranges();
  Bytes message;
  const protocol::FrameOpener opener(parties().route);
  for (const auto& range : ranges) {
    SC_ASSERT(range.epoch == epoch && range.first == Counter(0));
    must(store.grants(epoch, message));
    for (auto counter = range.first; counter <= range.last; counter = counter.next()) {
      SC_ASSERT(must(store.read(epoch, counter, message)) == counter);
      SC_ASSERT(opener.verify(must(protocol::parse_frame(message)), parties().camera.verifier()));
    }
  }
  auto again = open();
  SC_ASSERT(again.ranges() == ranges && again.bytes() == store.bytes());
  must(again.remove(std::span(&epoch, 1)));
  must(again.tick());
  SC_ASSERT(again.ranges().empty() && !std::filesystem::exists(fuzz::scratch().path() / below));
  return 0;
}
