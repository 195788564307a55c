// SPDX-License-Identifier: Apache-2.0
/// Measures the quality of a recording of the fake source. Reads the number in each decoded picture, draws the original
/// with that number, and computes the PSNR over luma and chroma in dB. Prints one line of JSON.
///
///     sealcam-psnr FILE --size WxH --camera N [--least DB]
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>

#include "base/clock.hpp"
#include "base/format.hpp"
#include "base/log.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/modules/modules.hpp"

using namespace sealcam;
using hal::Picture;

namespace {

double squared_error(const hal::Plane& a, const hal::Plane& b, int width, int height) {
  double sum = 0;
  for (int y = 0; y < height; ++y) {
    const auto* row_a = a.data + static_cast<std::size_t>(y) * a.stride;
    const auto* row_b = b.data + static_cast<std::size_t>(y) * b.stride;
    for (int x = 0; x < width; ++x) {
      const int d = std::to_integer<int>(row_a[x]) - std::to_integer<int>(row_b[x]);
      sum += d * d;
    }
  }
  return sum;
}

double psnr(const Picture& a, const Picture& b) {
  const auto [w, h] = a.size;
  const double sum = squared_error(a.planes[0], b.planes[0], w, h) +
                     squared_error(a.planes[1], b.planes[1], w / 2, h / 2) +
                     squared_error(a.planes[2], b.planes[2], w / 2, h / 2);
  const double mean = sum / (static_cast<double>(w) * h * 1.5);
  return mean == 0 ? 99 : 10 * std::log10(255.0 * 255.0 / mean);
}

struct Figures {
  std::size_t pictures = 0, unmarked = 0, backwards = 0;
  std::uint32_t first = 0, last = 0;  // numbers of the pictures compared
  double min = std::numeric_limits<double>::infinity(), sum = 0;
};

/// Reads both sources in parallel. Skips drawn pictures up to the number of the recorded one.
Figures compare(hal::FrameSource& recorded, hal::FrameSource& drawn, std::uint16_t camera) {
  using namespace std::chrono_literals;
  Figures figures;
  auto reference = drawn.next(1s);
  for (;;) {
    auto picture = recorded.next(5s);
    if (!picture) {
      if (picture.error().code == Errc::end_of_stream) return figures;
      throw std::runtime_error(to_string(picture.error()));
    }
    const auto mark = hal::fake::read_mark(*picture);
    if (!mark || mark->camera != camera) {
      ++figures.unmarked;
      continue;
    }
    while (reference && reference->number < mark->number) {
      reference = Result<Picture>(Picture());  // returns the buffer first
      reference = drawn.next(1s);
    }
    if (!reference) throw std::runtime_error(to_string(reference.error()));
    if (reference->number != mark->number) {
      ++figures.backwards;
      continue;
    }
    const double db = psnr(*picture, *reference);
    if (figures.pictures == 0) figures.first = mark->number.value();
    figures.last = mark->number.value();
    ++figures.pictures;
    figures.sum += db;
    figures.min = std::min(figures.min, db);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app("Measures the PSNR of a recording of the fake source");
  std::string file;
  hal::Size size;
  std::string size_text;
  std::uint16_t camera = 0;
  double min = 0;
  app.add_option("file", file)->required();
  app.add_option("--size", size_text, "WIDTHxHEIGHT")->required();
  app.add_option("--camera", camera)->required();
  app.add_option("--least", min, "exit with 1 if the PSNR of a picture is lower, in dB");
  CLI11_PARSE(app, argc, argv);
  if (std::sscanf(size_text.c_str(), "%dx%d", &size.width, &size.height) != 2) return 64;

  const SystemClock clock;
  StderrLog log;
  auto recorded = hal::modules::open_replay({.file = file, .size = size, .loop = false, .realtime = false}, clock, log);
  if (!recorded) throw std::runtime_error(to_string(recorded.error()));
  auto drawn = hal::fake::FakeSource::open({.size = size, .camera = camera, .realtime = false}, clock);
  if (!drawn) throw std::runtime_error(to_string(drawn.error()));
  const Figures f = compare(**recorded, **drawn, camera);
  const double mean = f.pictures == 0 ? 0 : f.sum / static_cast<double>(f.pictures);
  std::cout << sealcam::format(
      "{{\"pictures\":{},\"unmarked\":{},\"backwards\":{},\"first\":{},\"last\":{},\"psnr_least\":{:.2f},"
      "\"psnr_mean\":{:.2f}}}\n",
      f.pictures, f.unmarked, f.backwards, f.first, f.last, f.pictures == 0 ? 0 : f.min, mean);
  return f.pictures > 0 && f.unmarked == 0 && f.backwards == 0 && f.min >= min ? 0 : 1;
} catch (const std::exception& e) {
  std::cerr << "sealcam-psnr: " << e.what() << '\n';
  return 1;
}
