// SPDX-License-Identifier: Apache-2.0
#include "recordings/format.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using namespace std::chrono_literals;

TEST_CASE("a file is named by its time, within the four digits of a year") {
  const CaptureTime time{1'790'000'000'123'456us};
  CHECK(day_name(time) == "2026-09-21");
  CHECK(file_name(time) == "14-13-20.123.seal");
  CHECK(is_day_name(day_name(time)));
  CHECK(is_file_name(file_name(time)));
  for (const auto far : {std::chrono::microseconds::min(), std::chrono::microseconds::max(), -1us}) {
    CHECK(is_day_name(day_name({far})));
    CHECK(is_file_name(file_name({far})));
  }
  for (const auto* const bad : {"", "2026-9-21", "2026-09-211", "..-..-..xx", "2026/09/21"})
    CHECK_FALSE(is_day_name(bad));
  CHECK_FALSE(is_file_name("14-13-20.123.seal/"));
}

TEST_CASE("a header is read back, and a cut one is recognized at every length") {
  test::RecordingScene scene;
  const auto stream = scene.begin();
  const FileHeader header{scene.owner.identity(), stream.epoch->roster, stream.epoch->grants, FileNumber(7)};
  const auto bytes = encode_header(header);
  std::size_t size = 0;
  const auto read = must(decode_header(bytes, size));
  CHECK(size == bytes.size());
  CHECK(read.owner == header.owner);
  CHECK(read.roster == header.roster);
  CHECK(read.grants == header.grants);
  CHECK(read.number == header.number);
  const auto verified = must(verify_header(read, scene.camera.id()));
  CHECK(verified.grants.epoch == stream.keys.epoch);
  CHECK(verified.camera.id() == scene.camera.id());
  CHECK(verify_header(read, scene.hub.id()).error().code == Errc::bad_signature);
  CHECK_FALSE(is_cut_header(bytes));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    CAPTURE(n);
    CHECK_FALSE(decode_header(ByteView(bytes).first(n), size));
    CHECK(is_cut_header(ByteView(bytes).first(n)));
  }
  CHECK(is_cut_header(Bytes(100)));
  CHECK_FALSE(is_cut_header(Bytes(100, std::byte{0x41})));
}

TEST_CASE("marks and frames have the size that their head states") {
  test::RecordingScene scene;
  auto stream = scene.begin();
  const std::array<std::uint64_t, 2> left_out{3, UINT32_MAX};
  const auto mark = encode_mark({1'790'000'000s}, left_out);
  const auto head = must(item_head(mark));
  CHECK(head.kind == ItemKind::mark);
  CHECK(head.size == mark.size());
  CHECK(head.time == CaptureTime{1'790'000'000s});
  CHECK(head.left_out_count == 2);
  CHECK(head.left_out[1] == UINT32_MAX);
  for (const std::size_t size : {1U, 100U, 300U, 70'000U, 900'000U}) {
    const auto frame = scene.builder.frame(stream.keys, protocol::FrameKind::key, {.size = size});
    const auto found = must(item_head(ByteView(frame).first(item_head_size)));
    CHECK(found.kind == ItemKind::frame);
    CHECK(found.size == frame.size());
    const auto facts = must(frame_facts(ByteView(frame).first(frame_facts_size)));
    CHECK(facts.kind == 1);
    CHECK(facts.epoch == stream.keys.epoch);
    CHECK(facts.counter == must(protocol::parse_frame(frame)).counter);
  }
  for (const auto bad : {std::byte{0}, std::byte{0x80}, std::byte{0x88}, std::byte{0xff}, std::byte{0x5f}})
    CHECK_FALSE(item_head(Bytes(100, bad)));
}

TEST_CASE("a receipt is read back from the end of a file") {
  test::RecordingScene scene;
  Receipt receipt{.number = FileNumber(3),
                  .epoch = Epoch(100),
                  .first = Counter(5),
                  .last = Counter(90),
                  .gaps = {{7, 2}, {20, 1}},
                  .left_out = {{9, 1}},
                  .groups = {{1000, {1s}, {}}, {2000, {2s}, {}}},
                  .header = {},
                  .end = {3s},
                  .reason = EndReason::epoch};
  const auto item = must(encode_receipt(receipt, scene.route, scene.hub.keys().identity));
  CHECK(receipt_item_size(std::span(item).last<4>()) == item.size());
  CHECK(must(item_head(item)).size == item.size());
  CHECK(must(receipt_signer(item)) == scene.hub.id());
  const auto read = must(decode_receipt(item, scene.route, scene.hub.verifier()));
  CHECK(read.gaps == receipt.gaps);
  CHECK(read.left_out == receipt.left_out);
  CHECK(read.groups == receipt.groups);
  CHECK(read.reason == EndReason::epoch);
  CHECK_FALSE(decode_receipt(item, scene.route, scene.camera.verifier()));
  for (std::size_t i = 0; i < item.size(); ++i) {
    auto altered = item;
    altered[i] ^= std::byte{1};
    CHECK_FALSE(decode_receipt(altered, scene.route, scene.hub.verifier()));
  }
  receipt.gaps = {{7, 2}, {9, 1}};  // adjacent ranges have one encoding
  CHECK_FALSE(decode_receipt(must(encode_receipt(receipt, scene.route, scene.hub.keys().identity)), scene.route,
                             scene.hub.verifier()));
}

}  // namespace
}  // namespace sealcam::recordings
