// SPDX-License-Identifier: Apache-2.0
// Files with recordings from a disk that is not trusted, and a damaged index. A file is either accepted with facts that
// a second reading confirms, or rejected. Nothing of a rejected file is shown. The index is any file, or one that this
// version wrote, with changed bytes.
#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "crypto/cbor.hpp"
#include "input.hpp"
#include "parties.hpp"
#include "recordings/file_archive.hpp"
#include "recordings/file_completion.hpp"
#include "recordings/verifier.hpp"
#include "scratch.hpp"

using namespace sealcam;
using namespace sealcam::recordings;
using fuzz::must;
using fuzz::parties;
using fuzz::scratch;

namespace {

/// A valid header: the same one in each call, so that its signatures are checked once.
const FileHeader& header() {
  static const auto* const made = [] {
    const auto roster = parties().roster(1);
    const protocol::GrantContent content;
    auto message = must(protocol::encode_roster(roster, parties().route, parties().owner.keys().identity));
    auto grants = must(protocol::encode_grants({.roster = roster, .content = content, .epoch = Epoch(7)},
                                               parties().route, parties().camera.keys().identity));
    return new FileHeader{parties().owner.identity(), std::move(message), std::move(grants), FileNumber(1)};
  }();
  return *made;
}

/// Frames of the input's sizes and kinds, sealed and signed, and other bytes of the input between them.
Bytes items(fuzz::Input& in) {
  static const protocol::FrameSealer sealer(parties().route, parties().camera.keys().identity);
  auto key = must(crypto::sframe::SealingKey::open(crypto::sframe::CipherSuite::aes_128_gcm_sha256_128, Epoch(7), {}));
  Bytes out;
  for (int i = 0; i < 8 && !in.empty(); ++i) {
    const auto choice = in.byte();
    if (choice < 64) {
      const auto raw = in.take(choice);
      out.insert(out.end(), raw.begin(), raw.end());
    } else if (choice < 128) {
      const auto mark = encode_mark({std::chrono::microseconds(in.number<std::int64_t>())}, {});
      out.insert(out.end(), mark.begin(), mark.end());
    } else {
      auto kind = static_cast<protocol::FrameKind>(1 + choice % 4);
      if (key.next_counter() == Counter()) kind = protocol::FrameKind::key;
      protocol::FrameHeader facts;
      facts.depends = key.next_counter();
      if (kind == protocol::FrameKind::delta) facts.depends = Counter(facts.depends.value() - 1);
      const auto plain = protocol::frame_plaintext(facts, in.take(choice % 32));
      Bytes frame(sealer.message_size(key, plain.size()));
      const auto message = must(sealer.seal(frame, key, kind, plain));
      out.insert(out.end(), message.begin(), message.end());
    }
  }
  return out;
}

void check_file(ByteView content) {
  const FileName name{parties().camera.id(), "2026-11-30", "00-00-00.000.seal"};
  const auto folder = scratch().path() / "f";
  std::filesystem::create_directories(name.below(folder).parent_path());
  scratch().put("f/" + name.below({}).string(), as_text(content));
  static auto* const inspector = new FileInspector(parties().owner.account());
  const auto facts = inspector->inspect(folder, name);
  const auto report = verify_file(folder, name, *inspector);
  SC_ASSERT(facts || !report.faults.empty() || report.frames == 0);
  SC_ASSERT(report.bytes == content.size());
  FileCompletion completion(folder, name, *inspector, parties().hub.keys().identity);
  auto ended = completion.step(1000);
  while (ended && !*ended) ended = completion.step(1000);
  if (!ended) {
    SC_ASSERT(must(read_file(name.below(folder), 1 << 20)) == Bytes(content.begin(), content.end()));
    return;
  }
  const auto& done = completion.facts();
  if (!done) return SC_ASSERT(!std::filesystem::exists(name.below(folder)));
  // A completed file has a receipt, and reads the same again.
  const auto again = must(inspector->inspect(folder, name));
  SC_ASSERT(again.file.reason != EndReason::open && again.file.bytes == done->file.bytes);
  SC_ASSERT(again.gaps.size() == done->gaps.size());
}

void check_receipt(ByteView payload) {
  auto message = must(
      protocol::sign_message(protocol::MessageName::receipt, parties().route, parties().hub.keys().identity, payload));
  std::array<std::byte, 4> size;
  store_be(size, static_cast<std::uint32_t>(message.size()));
  message.insert(message.end(), size.begin(), size.end());
  crypto::CborWriter writer;
  writer.bytes(message);
  const auto item = writer.take();
  SC_ASSERT(receipt_item_size(std::span(item).last<4>()) == item.size());
  const auto receipt = decode_receipt(item, parties().route, parties().hub.verifier());
  if (!receipt) return;
  const auto encoded = must(encode_receipt(*receipt, parties().route, parties().hub.keys().identity));
  const auto again = must(decode_receipt(encoded, parties().route, parties().hub.verifier()));
  SC_ASSERT(encoded.size() == item.size() && again.groups == receipt->groups && again.gaps == receipt->gaps);
}

/// The index of a hub with recordings.
const Bytes& valid_index() {
  static const auto* const made = [] {
    const auto path = scratch().path() / "valid";
    auto index = must(Index::open(path));
    for (std::uint64_t i = 1; i <= 4; ++i) {
      const CaptureTime begin{std::chrono::seconds(1'790'000'000 + 300 * i)};
      const CaptureTime end{begin.since_epoch + std::chrono::seconds(299)};
      const FileName name{parties().camera.id(), day_name(begin), file_name(begin)};
      must(index->put(
          {.file = {name, FileNumber(i), Epoch(7), {begin, end}, 1000 * i, i == 4 ? EndReason::open : EndReason::full},
           .gaps = {{.time = {begin, end}, .epoch = Epoch(7), .first = Counter(9), .frames = i}},
           .motion = i == 3 ? std::nullopt : std::optional(std::vector{Motion{begin, end, begin, 5}})}));
    }
    index.reset();  // moves all content into the file
    return new Bytes(must(read_file(path, 1 << 20)));
  }();
  return *made;
}

Bytes changed_index(fuzz::Input& in) {
  auto content = valid_index();
  while (!in.empty()) {
    const auto at = in.number<std::uint16_t>();
    content[at % content.size()] = static_cast<std::byte>(in.byte());
  }
  return content;
}

void read_all(Index& index, const DeviceId& camera) {
  const auto files = index.files(camera, all_times);
  if (files)
    for (const auto& file : *files) {
      SC_ASSERT(is_day_name(file.file.day) && is_file_name(file.file.name));
      (void)index.files_of_epoch(camera, file.epoch);
      (void)index.at_or_before(camera, file.time.begin);
    }
  (void)index.gaps(camera, all_times);
  (void)index.motion(camera, all_times);
  (void)index.max_number(camera);
}

void check_index(ByteView content, bool unchanged) {
  for (const auto* const suffix : {"-wal", "-shm", "-journal"})
    std::filesystem::remove(scratch().path() / (std::string("index") + suffix));
  const auto path = scratch().put("index", as_text(content));
  auto index = Index::open(path);
  SC_ASSERT(index || !unchanged);
  if (!index) return;
  const auto cameras = (*index)->cameras();
  SC_ASSERT(!unchanged || (cameras && cameras->size() == 1));
  if (cameras)
    for (const auto& camera : *cameras) read_all(**index, camera);
  (void)(*index)->oldest();
  (void)(*index)->newest();
  (void)(*index)->without_motion();
  (void)(*index)->usage();
  must((*index)->rebuild());
  SC_ASSERT(must((*index)->cameras()).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)parties();
  fuzz::Input in(data, size);
  const auto choice = in.byte();
  if (size > 8192) return 0;
  switch (choice % 6) {
    case 0: check_file(in.rest()); break;
    case 1: {
      auto file = encode_header(header());
      const auto rest = in.rest();
      file.insert(file.end(), rest.begin(), rest.end());
      check_file(file);
      break;
    }
    case 2: {
      auto file = encode_header(header());
      const auto rest = items(in);
      file.insert(file.end(), rest.begin(), rest.end());
      check_file(file);
      break;
    }
    case 3: check_receipt(in.rest()); break;
    case 4: check_index(in.rest(), false); break;
    default: {
      const auto content = changed_index(in);
      check_index(content, content == valid_index());
    }
  }
  return 0;
}
