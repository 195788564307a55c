// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <map>

#include "base/bytes.hpp"
#include "base/testing/fakes.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/converter.hpp"
#include "hal/modules/modules.hpp"
#include "support/film.hpp"
#include "support/temporary_folder.hpp"

extern "C" {
#include <libavutil/frame.h>
}

using namespace sealcam;
using namespace sealcam::hal;
using namespace std::chrono_literals;

namespace {

unsigned at(ByteView b, std::size_t i) { return std::to_integer<unsigned>(b[i]); }

/// The content of a transport stream (ISO/IEC 13818-1 section 2.4.3).
struct Transport {
  std::map<unsigned, std::size_t> packets;  // by PID
  std::size_t pcr = 0;
  std::map<unsigned, Bytes> payload;  // by PID; joined
  bool whole = true;

  explicit Transport(ByteView stream) {
    whole = !stream.empty() && stream.size() % 188 == 0;
    for (std::size_t i = 0; whole && i < stream.size(); i += 188) add(stream.subspan(i, 188));
  }
  void add(ByteView p) {
    if (at(p, 0) != 0x47) {
      whole = false;
      return;
    }
    const unsigned pid = (at(p, 1) & 0x1f) << 8 | at(p, 2);
    ++packets[pid];
    std::size_t from = 4;
    if (at(p, 3) & 0x20) {
      if (at(p, 4) > 0 && (at(p, 5) & 0x10)) ++pcr;
      from = 5 + at(p, 4);
    }
    if (at(p, 3) & 0x10)
      payload[pid].insert(payload[pid].end(), p.begin() + static_cast<std::ptrdiff_t>(from), p.end());
  }
  [[nodiscard]] unsigned video() const {
    const auto found = std::ranges::find_if(payload, [](const auto& entry) {
      return entry.second.size() > 4 && load_be<std::uint32_t>(entry.second) == 0x1e0;
    });
    return found == payload.end() ? 0 : found->first;
  }
};

/// The PTS of a PES packet (section 2.4.3.6), in ticks of 90 kHz.
std::uint64_t pts(ByteView pes) {
  const auto part = [&](std::size_t i, unsigned mask) { return static_cast<std::uint64_t>(at(pes, i) & mask); };
  return part(9, 0x0e) << 29 | part(10, 0xff) << 22 | part(11, 0xfe) << 14 | part(12, 0xff) << 7 | part(13, 0xfe) >> 1;
}

struct Scene {
  MemoryLog log;
  modules::MediaModule media{log};
  std::vector<Bytes> units = test::film(12, 6);

  [[nodiscard]] Result<Bytes> still(std::size_t from, std::size_t to) {
    const std::vector<ByteView> group(units.begin() + static_cast<std::ptrdiff_t>(from),
                                      units.begin() + static_cast<std::ptrdiff_t>(to));
    return media.open_still_builder().value()->make(group);
  }
};

/// The samples of the JPEG, converted to the range of video.
class Decoded {
 public:
  explicit Decoded(const Bytes& jpeg) : converter_(ffmpeg::Converter::open({320, 240}, PixelFormat::yu12).value()) {
    Picture compressed;
    compressed.format = PixelFormat::mjpeg;
    compressed.size = {320, 240};
    compressed.planes[0] = {jpeg.data(), jpeg.size()};
    AVFrame* const frame = converter_.convert(compressed).value();
    for (std::size_t i = 0; i < 3; ++i)
      picture.planes[i] = {reinterpret_cast<const std::byte*>(frame->data[i]),
                           static_cast<std::size_t>(frame->linesize[i])};
    picture.size = {320, 240};
  }
  Picture picture;

 private:
  ffmpeg::Converter converter_;
};

}  // namespace

TEST_CASE("a fragment of an MP4 file ends without a key frame after some MiB, and after some time") {
  Scene s;
  std::size_t unit_size = 0;
  std::chrono::microseconds step{0};
  SECTION("size") {
    unit_size = std::size_t{1} << 20;
    step = 33'333us;
  }
  SECTION("time") {
    unit_size = 100;
    step = 1s;
  }
  const auto muxer = s.media.open_mp4_muxer({320, 240}).value();
  Bytes delta(unit_size, std::byte{0xaa});
  std::ranges::copy(std::array{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0x41}}, delta.begin());
  std::size_t written = s.units[0].size(), received = muxer->write({s.units[0], 0us, true}).value().size();
  std::size_t unsent = 0;
  for (int i = 1; i < 100; ++i) {
    received += muxer->write({delta, step * i, false}).value().size();
    written += unit_size;
    unsent = std::max(unsent, written - std::min(written, received));
  }
  CHECK(unsent < 11 * std::max<std::size_t>(unit_size, 400));
  received += muxer->finish().value().size();
  CHECK(received > written);
}

TEST_CASE("a stream has whole packets with tables, clock, delimiters and the times of its pictures") {
  Scene s;
  const auto muxer = s.media.open_muxer().value();
  for (std::size_t i = 0; i < s.units.size(); ++i) {
    const auto when = 33'333us * static_cast<int>(i);
    const bool key = i % 6 == 0;
    const auto out = muxer->write({s.units[i], when, key});
    REQUIRE(out);
    const Transport ts(*out);
    REQUIRE(ts.whole);
    const auto& pes = ts.payload.at(ts.video());
    CHECK(pts(pes) == 90'000 + static_cast<std::uint64_t>((when.count() * 9 + 50) / 100));
    const auto es = ByteView(pes).subspan(9 + at(pes, 8));
    CHECK(load_be<std::uint32_t>(es) == 1);
    CHECK(at(es, 4) == 9);  // access unit delimiter
    if (key) {
      CHECK(ts.packets.contains(0));  // a player can start here
      CHECK(ts.pcr > 0);
      CHECK(std::ranges::search(es, std::array{std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0x67}}).begin() !=
            es.end());
    }
  }
}

TEST_CASE("a stream starts at a key frame, and its time must increase") {
  Scene s;
  const auto muxer = s.media.open_muxer().value();
  const auto no_key = muxer->write({s.units[1], 0us, false});
  REQUIRE_FALSE(no_key);
  CHECK(no_key.error().code == Errc::invalid_argument);
  REQUIRE(muxer->write({s.units[0], 0us, true}));
  const auto no_later = muxer->write({s.units[1], 0us, false});
  REQUIRE_FALSE(no_later);
  CHECK(no_later.error().code == Errc::invalid_argument);
  CHECK(muxer->write({s.units[1], 1ms, false}));
  const auto empty = muxer->write({{}, 2ms, false});
  REQUIRE_FALSE(empty);
  CHECK(empty.error().code == Errc::malformed);
  CHECK(muxer->write({s.units[6], 50h, true}));  // after 26.5 h PTS wraps
}

TEST_CASE("destroying a muxer leaks nothing, unused or in the middle of a stream") {
  Scene s;
  (void)s.media.open_muxer().value();
  (void)s.media.open_muxer().value()->write({s.units[0], 0us, true});
}

TEST_CASE("a still is the last picture of its group, with the correct brightness") {
  Scene s;
  const auto jpeg = s.still(6, 10);
  REQUIRE(jpeg);
  CHECK(to_hex(ByteView(*jpeg).first(2)) == "ffd8");
  CHECK(to_hex(ByteView(*jpeg).last(2)) == "ffd9");
  const Decoded decoded(*jpeg);
  const auto mark = fake::read_mark(decoded.picture);
  REQUIRE(mark);
  CHECK(*mark == fake::PictureMark{FrameNumber(9), 3});
  // Black (16) and white (235) of the mark: a wrong range would change the middle of each cell by at least 15.
  unsigned low = 255, high = 0;
  for (int x = 12; x < 136; x += 8) {
    const auto value = std::to_integer<unsigned>(
        decoded.picture.planes[0].data[25 * decoded.picture.planes[0].stride + static_cast<std::size_t>(x)]);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  INFO(low << " to " << high);
  CHECK((low >= 6 && low <= 26));
  CHECK((high >= 225 && high <= 245));
}

TEST_CASE("a group that does not decode is an error and does not affect the next still") {
  Scene s;
  CHECK(s.still(0, 0).error().code == Errc::malformed);
  CHECK(s.still(1, 4).error().code == Errc::malformed);  // no key frame
  s.units[2].resize(s.units[2].size() / 2);
  s.units[3].assign(40, std::byte{7});
  CHECK(s.still(0, 4).error().code == Errc::malformed);
  CHECK(s.still(6, 8));
}

TEST_CASE("a file that is not the media module is rejected once, with its name") {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "sealcam-media.so") << "no module";
  ::setenv("SEALCAM_MODULE_PATH", folder.path().c_str(), 1);
  MemoryLog log;
  modules::MediaModule broken(log);
  CHECK(broken.open_muxer().error().code == Errc::unsupported);
  ::unsetenv("SEALCAM_MODULE_PATH");
  CHECK(broken.open_still_builder().error().code == Errc::unsupported);
  CHECK(log.lines().size() == 1);
  CHECK(log.contains(folder.path().string()));
}
