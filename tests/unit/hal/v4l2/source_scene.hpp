// SPDX-License-Identifier: Apache-2.0
/// A V4L2 source of a scripted device, for the tests of this folder.
#pragma once

#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "base/testing/fakes.hpp"
#include "hal/v4l2/v4l2_source.hpp"
#include "support/fake_v4l2.hpp"

namespace sealcam::test {

inline constexpr hal::Size vga{640, 480};

inline hal::v4l2::Offer vga_offer(std::string fourcc) {
  const auto format = *hal::v4l2::known_format(hal::v4l2::fourcc_number(fourcc));
  return {std::move(fourcc), format.format, {{vga, vga, {1, 1}, {{30, 30}}}}};
}

struct SourceScene {
  FakeClock clock;
  MemoryLog log;
  FakeV4l2 fake{clock};

  explicit SourceScene(std::initializer_list<const char*> fourccs = {"YUYV"}) {
    for (const char* f : fourccs) fake.offers.push_back(vga_offer(f));
  }
  Result<std::unique_ptr<hal::v4l2::V4l2Source>> try_open(hal::v4l2::V4l2Config config = {}) {
    config.device = "/dev/test";
    config.size = vga;
    return hal::v4l2::V4l2Source::open(config, clock, log, fake.opener());
  }
  std::unique_ptr<hal::v4l2::V4l2Source> open(const hal::v4l2::V4l2Config& config = {}) {
    auto source = try_open(config);
    INFO((source ? std::string() : to_string(source.error())));
    REQUIRE(source);
    return std::move(*source);
  }
};

inline Errc error_of(hal::FrameSource& source) {
  const auto picture = source.next(std::chrono::milliseconds(10));
  REQUIRE_FALSE(picture);
  return picture.error().code;
}

inline hal::Picture get(hal::FrameSource& source) {
  auto picture = source.next(std::chrono::milliseconds(10));
  INFO((picture ? std::string() : to_string(picture.error())));
  REQUIRE(picture);
  return std::move(*picture);
}

/// The first bytes of a JPEG picture with this size, in hexadecimal.
inline std::string jpeg_of(hal::Size size) {
  std::array<std::byte, 4> sides{};
  store_be(MutableBytes(sides).first(2), static_cast<std::uint16_t>(size.height));
  store_be(MutableBytes(sides).last(2), static_cast<std::uint16_t>(size.width));
  return "ffd8ffc0000b08" + to_hex(sides) + "01012200ffda";
}

}  // namespace sealcam::test
