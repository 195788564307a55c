// SPDX-License-Identifier: Apache-2.0
/// Clips of phones and editors as sources.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <csignal>
#include <fstream>
#include <thread>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "contract/clip_writer.hpp"
#include "hal/replay/module/replay_source.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::replay;
using namespace sealcam::test;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

using Matrix = std::array<std::int32_t, 9>;
constexpr std::int32_t one = 1 << 16, unit = 1 << 30;
/// Turns clockwise by 90 degrees, as phones in portrait do.
constexpr Matrix turned_90{0, one, 0, -one, 0, 0, 0, 0, unit};
constexpr Matrix turned_180{-one, 0, 0, 0, -one, 0, 0, 0, unit};
constexpr Matrix turned_270{0, -one, 0, one, 0, 0, 0, 0, unit};
constexpr Matrix mirrored{-one, 0, 0, 0, one, 0, 0, 0, unit};
constexpr Matrix upside_down{one, 0, 0, 0, -one, 0, 0, 0, unit};
constexpr Matrix transposed{0, one, 0, one, 0, 0, 0, 0, unit};

/// Luma in a picture without padding.
class Shown {
 public:
  Shown(const ReplayConfig& config) : size_(config.size), bytes_(pixels() * 3 / 2) {
    auto reader = Reader::open(config);
    INFO((reader ? std::string() : to_string(reader.error())));
    REQUIRE(reader);
    REQUIRE((*reader)->read(bytes_));
  }
  [[nodiscard]] int at(double x, double y) const {
    const auto column = static_cast<std::size_t>(x * size_.width), row = static_cast<std::size_t>(y * size_.height);
    return std::to_integer<int>(bytes_[row * static_cast<std::size_t>(size_.width) + column]);
  }
  /// The quarters of an area in the middle with this part of width and height, by the number in write_clip().
  [[nodiscard]] std::array<int, 4> quarters(double width, double height) const {
    std::array<int, 4> found{};
    for (std::size_t i = 0; i < 4; ++i) {
      const int luma = at(0.5 + width * (i % 2 == 0 ? -0.25 : 0.25), 0.5 + height * (i / 2 == 0 ? -0.25 : 0.25));
      found[i] = -1;
      for (std::size_t q = 0; q < 4; ++q)
        if (std::abs(luma - test::quarters[q]) < 8) found[i] = static_cast<int>(q);
    }
    return found;
  }
  [[nodiscard]] bool is_black(double x, double y) const { return std::abs(at(x, y) - 16) < 3; }

 private:
  [[nodiscard]] std::size_t pixels() const {
    return static_cast<std::size_t>(size_.width) * static_cast<std::size_t>(size_.height);
  }
  Size size_;
  Bytes bytes_;
};

/// Times of the pictures, in milliseconds.
std::vector<int> times_of(const ReplayConfig& config) {
  auto reader = Reader::open(config).value();
  Bytes bytes(static_cast<std::size_t>(config.size.width) * static_cast<std::size_t>(config.size.height) * 3 / 2);
  std::vector<int> times;
  while (times.size() < 1000) {
    const auto at = reader->read(bytes);
    if (!at) break;
    times.push_back(static_cast<int>(std::lround(std::chrono::duration<double, std::milli>(*at).count())));
  }
  return times;
}

std::vector<double> every(double seconds, int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) times.push_back(i * seconds);
  return times;
}

std::string message_of(const std::filesystem::path& file) {
  const auto reader = Reader::open({.file = file});
  if (reader) {
    Bytes bytes(1920 * 1080 * 3 / 2);
    const auto picture = (*reader)->read(bytes);
    return picture ? "" : to_string(picture.error());
  }
  return to_string(reader.error());
}

/// A source on a clock that only the test moves.
struct Scene {
  FakeClock clock;
  std::unique_ptr<ReplaySource> source;

  explicit Scene(const ReplayConfig& config) : source(ReplaySource::open(config, clock).value()) {}
  /// The picture that is due at this time of the clock. Waits for the thread that reads.
  Picture get() {
    for (int tries = 0; tries < 100; ++tries)
      if (auto picture = source->next(100ms)) return std::move(*picture);
    FAIL("no picture");
    return {};
  }
};

}  // namespace

TEST_CASE("a clip is upright, whatever its display matrix says") {
  const TemporaryFolder folder;
  struct Row {
    const char* name;
    std::optional<Matrix> matrix;
    std::array<int, 4> quarters;
    bool portrait;
  };
  for (const auto& row : {Row{"none", std::nullopt, {0, 1, 2, 3}, false},
                          {"90", turned_90, {2, 0, 3, 1}, true},
                          {"180", turned_180, {3, 2, 1, 0}, false},
                          {"270", turned_270, {1, 3, 0, 2}, true},
                          {"hflip", mirrored, {1, 0, 3, 2}, false},
                          {"vflip", upside_down, {2, 3, 0, 1}, false},
                          {"transposed", transposed, {0, 2, 1, 3}, true}}) {
    INFO(row.name);
    const auto file = folder.path() / "clip.mp4";
    write_clip(file, {.times = {0}, .display_matrix = row.matrix});
    const Shown shown({.file = file, .size = {640, 360}});
    const double width = row.portrait ? 9.0 * 9 / 256 : 1;
    CHECK(shown.quarters(width, 1) == row.quarters);
    CHECK(shown.is_black(0.02, 0.5) == row.portrait);
    CHECK(shown.is_black(0.98, 0.5) == row.portrait);
    CHECK_FALSE(shown.is_black(0.5 - width / 2 + 0.01, 0.5));
    CHECK_FALSE(shown.is_black(0.5 + width / 2 - 0.01, 0.5));
  }
}

TEST_CASE("bars keep the shape of a clip, also if its pixels are not square") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "clip.mp4";
  const auto shape = [&](ClipConfig clip, Size size) {
    clip.times = {0};
    write_clip(file, clip);
    const Shown shown({.file = file, .size = size});
    const auto bright = [&](double x, double y) { return !shown.is_black(x, y); };
    CHECK(bright(0.5, 0.5));
    int columns = 0, rows = 0;
    for (int i = 0; i < 200; ++i) {
      columns += bright((i + 0.5) / 200, 0.5) ? 1 : 0;
      rows += bright(0.5, (i + 0.5) / 200) ? 1 : 0;
    }
    return std::pair{columns, rows};  // of 200
  };
  const auto check = [](const std::pair<int, int>& found, int columns, int rows) {
    CHECK(std::abs(found.first - columns) <= 1);
    CHECK(std::abs(found.second - rows) <= 1);
  };
  check(shape({.size = {320, 180}}, {640, 360}), 200, 200);
  check(shape({.size = {320, 240}}, {640, 360}), 150, 200);
  check(shape({.size = {320, 180}}, {640, 480}), 200, 150);
  check(shape({.size = {180, 320}}, {320, 180}), 63, 200);
  // DVDs: 720x576 with pixels of 64:45 is 16:9, and with 16:15 it is 4:3.
  check(shape({.size = {360, 288}, .sar_width = 64, .sar_height = 45}, {640, 360}), 200, 200);
  check(shape({.size = {360, 288}, .sar_width = 16, .sar_height = 15}, {640, 360}), 150, 200);
  // Phones: the shape of the pixel is turned, too.
  check(shape({.size = {160, 180}, .display_matrix = turned_90, .sar_width = 2, .sar_height = 1}, {320, 180}), 63, 200);
  check(shape({.size = {320, 16}}, {320, 180}), 200, 18);
}

TEST_CASE("a clip is cropped as its container describes it, before it is turned") {
  const TemporaryFolder folder;
  constexpr std::array<std::uint8_t, 4> first_quarter{0, 90, 0, 160}, right_half{0, 0, 160, 0};
  for (const auto* const name : {"clip.mp4", "clip.mkv"}) {
    INFO(name);
    const auto file = folder.path() / name;
    write_clip(file, {.times = {0}, .cropping = first_quarter});
    const Shown quarter({.file = file, .size = {640, 360}});
    CHECK(quarter.quarters(0.9, 0.9) == std::array{0, 0, 0, 0});
    write_clip(file, {.times = {0}, .display_matrix = turned_90, .cropping = right_half});
    const Shown turned({.file = file, .size = {640, 360}});
    CHECK(turned.quarters(0.9, 0.9) == std::array{3, 1, 3, 1});
    CHECK_FALSE(turned.is_black(0.5, 0.02));
  }
}

TEST_CASE("pictures come at the times of the file") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "phone.mp4";
  std::vector<double> times = every(1.0 / 30, 60);
  for (int i = 0; i < 20; ++i) times.push_back(2 + i * 0.2);
  write_clip(file, {.times = times});
  ReplayConfig config{.file = file, .size = {64, 64}, .loop = false};
  const auto found = times_of(config);
  REQUIRE(found.size() == times.size());
  for (std::size_t i = 0; i < times.size(); ++i) CHECK(std::abs(found[i] - times[i] * 1000) <= 1);
  // The next pass begins when the last picture was shown for its time.
  config.loop = true;
  const auto twice = times_of(config);
  REQUIRE(twice.size() > 81);
  CHECK(twice[80] - twice[79] > 20);
  CHECK(twice[80] - twice[79] <= 200);
  CHECK(std::abs(twice[81] - twice[80] - 33) <= 1);
  config.rate = 10;  // an explicit rate replaces the times
  config.loop = false;
  const auto slow = times_of(config);
  REQUIRE(slow.size() == times.size());
  CHECK(slow[79] == 7900);
}

TEST_CASE("pictures above 120 a second are skipped") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "fast.mov";
  write_clip(file, {.times = every(0.002, 500), .codec = "mjpeg"});
  const auto times = times_of({.file = file, .size = {64, 64}, .loop = false});
  CHECK(times.size() >= 100);
  CHECK(times.size() <= 250);
  CHECK(times.back() > 980);
  CHECK(Reader::open({.file = file, .size = {64, 64}}).value()->rate() <= 120);
}

TEST_CASE("a timelapse repeats its pictures twice a second until the next one is due") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "timelapse.mp4";
  write_clip(file, {.times = every(8, 4)});
  Scene scene({.file = file, .size = {64, 64}});
  CHECK(scene.source->rate() == 2);
  const auto first = scene.get();
  const auto* const bytes = first.planes[0].data;
  int pictures = 1;
  for (int half = 1; half < 16; ++half) {
    CHECK(scene.source->next(1ms).error().code == Errc::timeout);
    scene.clock.advance(500ms);
    const auto again = scene.get();
    CHECK(again.planes[0].data == bytes);
    CHECK(again.captured - first.captured == half * nanoseconds(500ms));
    CHECK(again.number == FrameNumber(static_cast<std::uint32_t>(pictures++)));
  }
  scene.clock.advance(500ms);
  CHECK(scene.get().planes[0].data != bytes);
}

TEST_CASE("a still is a stream with the rate of the source") {
  const TemporaryFolder folder;
  // "%" is the pattern of a sequence of files for FFmpeg.
  for (const char* name : {"plain.jpg", "cover%03d.jpg", "100%.JPG", "no suffix"}) {
    INFO(name);
    const auto file = folder.path() / name;
    write_clip(folder.path() / "new.jpg", {.times = {0}, .codec = "mjpeg"});
    std::filesystem::rename(folder.path() / "new.jpg", file);
    Scene scene({.file = file, .size = {64, 64}});
    const double rate = scene.source->rate();
    CHECK(rate == 25);
    for (std::uint32_t i = 0; i < 100; ++i) {
      const auto picture = scene.get();
      CHECK(picture.number == FrameNumber(i));
      scene.clock.advance(40ms);
    }
    scene.clock.advance(10s);  // a caller that is late gets no burst
    int burst = 0;
    while (scene.source->next(1ms)) ++burst;
    CHECK(burst < 15);
    const auto once = ReplaySource::open({.file = file, .size = {64, 64}, .loop = false}, scene.clock).value();
    REQUIRE(once->next(2000ms));
    CHECK(once->next(2000ms).error().code == Errc::end_of_stream);
  }
}

TEST_CASE("a caller that is late continues with the next picture, and the numbers have a gap") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "clip.mp4";
  write_clip(file, {.times = every(0.1, 50)});
  Scene scene({.file = file, .size = {64, 64}});
  CHECK(scene.get().number == FrameNumber(0));
  scene.clock.advance(3s);
  const auto late = scene.get();
  CHECK(late.number == FrameNumber(30));
  CHECK(late.captured == scene.clock.monotonic());
  scene.clock.advance(100ms);
  CHECK(scene.get().number == FrameNumber(31));
}

TEST_CASE("a file that cannot be a source is described in words") {
  const TemporaryFolder folder;
  const auto put = [&](const char* name, std::string_view content) {
    std::ofstream(folder.path() / name, std::ios::binary) << content;
    return message_of(folder.path() / name);
  };
  CHECK(message_of(folder.path() / "missing.mp4").contains("there is no such file"));
  CHECK(message_of(folder.path()).contains("this is a folder"));
  CHECK(put("empty.mp4", "").contains("the file is empty"));
  CHECK(put("text.mp4", "this is not a recording").contains("no clip or image that FFmpeg can read"));
  std::string sound =
      std::string("RIFF\x24\x40\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\x40\0\0", 44);
  sound.resize(44 + 0x4000, '\1');
  CHECK(put("sound.wav", sound).contains("it has no pictures, only sound"));

  const auto clip = folder.path() / "clip.mp4";
  write_clip(clip, {.times = every(0.04, 50)});
  const auto size = std::filesystem::file_size(clip);
  std::filesystem::resize_file(clip, size / 2);  // the index is at the end
  CHECK(message_of(clip).contains("or its end is missing"));
  write_clip(folder.path() / "clip.mkv", {.times = every(0.04, 50)});
  std::filesystem::resize_file(folder.path() / "clip.mkv", std::filesystem::file_size(folder.path() / "clip.mkv") / 2);
  CHECK(message_of(folder.path() / "clip.mkv").empty());  // plays what is there
  for (const char* name : {"missing.mp4", "empty.mp4", "text.mp4", "sound.wav", "clip.mp4"}) {
    const auto message = message_of(folder.path() / name);
    CHECK_FALSE(message.contains("("));  // no number of FFmpeg or of the system
  }
}

TEST_CASE("a stop ends the wait for a FIFO, at open() and later") {
  const TemporaryFolder folder;
  const auto fifo = folder.path() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  });
  const FakeClock clock;
  const auto opened = ReplaySource::open({.file = fifo, .size = {64, 64}, .stop = stop.get_token()}, clock);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::canceled);

  write_clip(folder.path() / "clip.ts", {.times = every(0.04, 50), .codec = "mpeg4"});
  std::ifstream in(folder.path() / "clip.ts", std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::signal(SIGPIPE, SIG_IGN);
  const std::jthread writer([&] {
    const UniqueFd out(::open(fifo.c_str(), O_WRONLY));
    while (::write(out.get(), content.data(), content.size()) > 0) continue;  // until the reader closes the FIFO
  });
  const auto source = ReplaySource::open({.file = fifo, .size = {64, 64}}, clock);
  REQUIRE(source);
  CHECK((*source)->next(2000ms));
}
