// SPDX-License-Identifier: Apache-2.0
// Seeds from pictures: access units of the encoder, and sequences of steps for watcher_fuzz.
#include <algorithm>
#include <vector>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "corpus_parts.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "hal/h264.hpp"
#include "watcher_steps.hpp"

namespace sealcam::fuzz {

namespace {

std::vector<Bytes> encoded(hal::Size size, int threads) {
  const FakeClock clock;
  MemoryLog log;
  const auto source = hal::fake::FakeSource::open({.size = size, .realtime = false, .count = 4}, clock).value();
  hal::EncoderConfig config;
  config.codec = "libx264";
  config.size = size;
  config.bitrate = BitsPerSecond(60'000);
  config.keyframe_interval = 3;
  config.threads = threads;
  const auto encoder = hal::ffmpeg::FfmpegEncoder::open(config, log).value();
  std::vector<Bytes> units;
  while (auto picture = source->next(std::chrono::milliseconds(1)))
    if (const auto unit = encoder->encode(*picture).value()) units.emplace_back(unit->bytes.begin(), unit->bytes.end());
  return units;
}

/// The access units as buffers of a sensor: [length, 2 bytes][bytes] …
Bytes buffers_of(const std::vector<Bytes>& units) {
  Bytes all;
  for (const auto& unit : units) {
    std::array<std::byte, 2> length{};
    store_be(length, static_cast<std::uint16_t>(unit.size()));
    all.insert(all.end(), length.begin(), length.end());
    all.insert(all.end(), unit.begin(), unit.end());
  }
  return all;
}

/// Parameter sets that do not describe the matrix, as many devices write them.
void remove_colors(Bytes& unit) {
  Bytes out;
  hal::NalReader reader(unit);
  while (const auto nal = reader.next()) {
    constexpr auto none = hal::Colors::unspecified;
    if (nal->type() == hal::NalType::sps) hal::append_with_colors(out, *nal, {none, none, none, false});
    else hal::append(out, *nal);
  }
  unit = std::move(out);
}

}  // namespace

void h264_seeds(Seeds& seeds) {
  for (const auto& [name, size, threads] :
       {std::tuple{"small", hal::Size{32, 32}, 1}, std::tuple{"two-slices", hal::Size{96, 64}, 2}}) {
    auto units = encoded(size, threads);
    std::size_t number = 0;
    for (const auto& unit : units) {
      seeds.put("h264_fuzz", std::string(name) + "-" + std::to_string(number), {}, unit);
      number += 2 + unit.size();
    }
    seeds.put("decoder_fuzz", name, {}, buffers_of(units));
    seeds.put("h264_splitter_fuzz", name, {0}, buffers_of(units));
    std::ranges::for_each(units, remove_colors);
    // BT.709 with full range, from the driver.
    seeds.put("h264_splitter_fuzz", std::string(name) + "-driver-colors", {3, 1, 1, 1}, buffers_of(units));
  }
}

void watcher_seeds(Seeds& seeds) {
  using enum Step;
  const auto sequence = [&](std::string_view name, std::initializer_list<unsigned> steps) {
    seeds.put("watcher_fuzz", name, steps, std::string_view());
  };
  const auto s = [](Step step) { return static_cast<unsigned>(step); };
  // watcher_steps.hpp defines the operands. The operand of a kind is 0 (key), 1 (delta), 2 (still) or 3 (report).
  sequence("live",
           {s(roster), 0, s(grants), 0, s(frame), 0, 0, 0,       0,  s(frame), 0,        0, 1, 0, s(frame), 0, 0,
            2,         0, s(frame),  0, 0,        3, 0, s(wait), 30, s(tick),  s(frame), 0, 0, 1, 0});
  sequence("sleep", {s(roster), 0,        s(grants), 0,        s(frame), 0, 0,       0,        0, s(frame), 1, 0, 1,
                     0,         s(sleep), 30,        s(again), 0,        0, s(tick), s(frame), 0, 0,        1, 0});
  sequence("clocks",
           {s(roster),    0, s(grants), 0,        s(frame), 0, 0, 0, 0, s(set_clock), 0, 200, s(wait), 60, s(tick),
            s(set_clock), 1, 200,       s(frame), 2,        0, 1, 0});
  sequence("stale", {s(roster), 0, s(grants), 0, s(frame), 0, 0, 0, 0, s(wait), 60, s(tick), s(frame), 2, 0, 1, 0});
  sequence("late",
           {s(roster), 0, s(grants), 0, s(frame), 1, 0, 0, 0, s(wait), 49, s(again), 0, 0, s(wait), 3, s(tick)});
  sequence("replay", {s(roster), 0, s(grants), 0, s(frame), 0,        0, 0, 0,          s(frame),  0, 0,
                      1,         0, s(again),  0, 0,        s(again), 1, 3, s(restart), s(grants), 0, s(again),
                      1,         0, s(again),  0, 0,        s(frame), 0, 0, 0,          0});
  sequence("epochs", {s(roster), 0, s(grants), 0,       s(frame), 0,       0,        0, 0, s(grants), 1, s(frame), 2, 1,
                      0,         0, s(tick),   s(wait), 11,       s(tick), s(frame), 0, 1, 0,         0, s(frame), 0, 0,
                      0,         0, s(grants), 0,       s(again), 2,       0});
  sequence("before-grants", {s(roster), 0, s(frame), 0, 0, 0, 0, s(wait), 5, s(grants), 0, s(frame), 0, 0, 1, 0});
  sequence("past", {s(roster), 0,  s(grants), 0,       s(frame), 0,       0,        0, 0, s(frame), 0, 0, 3, 4,
                    s(wait),   60, s(tick),   s(wait), 30,       s(tick), s(again), 1, 4, s(again), 0, 4});
  sequence("early", {s(grants), 0, s(status), 0, s(roster), 0, s(frame), 0, 0, 0, 0});
  sequence("removed", {s(roster), 0, s(grants), 0, s(frame),  0, 0,         0, 0,         s(roster), 1, s(frame),
                       0,         0, 0,         0, s(roster), 2, s(grants), 0, s(again),  0,         0, s(frame),
                       0,         0, 0,         0, s(roster), 3, s(roster), 4, s(roster), 0});
  sequence("gap", {s(roster), 0, s(grants), 0, s(frame), 0,        0, 0, 0,        s(frame), 1, 0, 1, 0,
                   s(frame),  0, 0,         1, 0,        s(again), 1, 0, s(frame), 0,        0, 0, 2});
  sequence("reordered", {s(roster), 0, s(grants), 0, s(frame), 1, 0, 0,        0, s(frame), 1,        0, 2, 0, s(frame),
                         0,         0, 0,         0, s(again), 2, 0, s(again), 1, 1,        s(frame), 0, 0, 1, 0});
  sequence("forged", {s(roster), 0,  s(grants), 0,           s(frame), 0, 0,           0,  0, s(forge),  0,   0,
                      s(forge),  0,  1,         s(tamper),   0,        0, 0,           99, 0, s(tamper), 0,   1,
                      0,         99, 0,         s(tamper),   130,      0, 0,           60, 3, s(tamper), 200, 0,
                      0,         90, 2,         s(redirect), 0,        0, s(redirect), 0,  1});
  sequence("flood-frames", {s(roster), 0, s(grants), 0, s(flood), 0, s(frame), 0, 0, 0, 0});
  sequence("flood-grants", {s(flood), 1, s(roster), 0, s(grants), 0, s(frame), 0, 0, 0, 0});
  sequence("connection", {s(roster),
                          0,
                          s(connection),
                          1,
                          s(grants),
                          0,
                          s(connection),
                          0,
                          s(frame),
                          0,
                          0,
                          0,
                          0,
                          s(watch),
                          1,
                          s(wait),
                          250,
                          s(tick),
                          s(watch),
                          0,
                          s(frame),
                          0,
                          0,
                          0,
                          0,
                          s(status),
                          1,
                          s(raw),
                          0,
                          3,
                          1,
                          2,
                          3});
}

}  // namespace sealcam::fuzz
