// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/negotiate.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::v4l2;

namespace {

SizeRange one(Size size, std::vector<double> rates) {
  SizeRange s{size, size, {1, 1}, {}};
  for (const double r : rates) s.rates.push_back({r, r});
  return s;
}

Offer offer(std::string fourcc, PixelFormat format, std::vector<SizeRange> sizes) {
  return {std::move(fourcc), format, std::move(sizes)};
}

std::string text(const Result<Choice>& choice, std::span<const Offer> offers) {
  if (!choice) return std::string(name(choice.error().code));
  return offers[choice->offer].fourcc + " " + std::to_string(choice->size.width) + "x" +
         std::to_string(choice->size.height) + "@" + std::to_string(static_cast<int>(choice->rate + 0.5));
}

std::string chosen(const std::vector<Offer>& offers, const DesiredFormat& desired) {
  return text(choose(offers, desired), offers);
}

const Size hd{1280, 720}, full{1920, 1080}, vga{640, 480};

}  // namespace

TEST_CASE("the cheapest format is chosen, with a reason against each other format") {
  std::vector<Offer> offers = {
      offer("MJPG", PixelFormat::mjpeg, {one(hd, {30})}), offer("YUYV", PixelFormat::yuyv, {one(hd, {30})}),
      offer("NV12", PixelFormat::nv12, {one(hd, {30})}), offer("H264", PixelFormat::h264, {one(hd, {30})})};
  const DesiredFormat desired{.size = hd, .rate = 30};
  for (const char* best : {"H264", "NV12", "YUYV", "MJPG"}) {
    const auto choice = choose(offers, desired);
    REQUIRE(choice);
    CHECK(offers[choice->offer].fourcc == best);
    CHECK(choice->exact);
    CHECK(choice->reason.starts_with(best));
    CHECK(choice->passed_over.size() == offers.size() - 1);
    for (const auto& why : choice->passed_over) CHECK(why.contains(best));
    offers.erase(offers.begin() + static_cast<std::ptrdiff_t>(choice->offer));
  }
  CHECK(choose(offers, desired).error().code == Errc::not_found);
}

TEST_CASE("JPEG is chosen for a webcam that is slow without compression") {
  const std::vector<Offer> offers = {offer("YUYV", PixelFormat::yuyv, {one(vga, {30}), one(full, {5})}),
                                     offer("MJPG", PixelFormat::mjpeg, {one(vga, {30}), one(full, {30, 15})})};
  CHECK(chosen(offers, {.size = full, .rate = 30}) == "MJPG 1920x1080@30");
  CHECK(choose(offers, {.size = full, .rate = 30})->passed_over.at(0) == "YUYV: only 5/s");
  CHECK(chosen(offers, {.size = vga, .rate = 30}) == "YUYV 640x480@30");
  CHECK(chosen(offers, {.size = full, .rate = 5}) == "YUYV 1920x1080@5");
  CHECK(chosen(offers, {.size = full}) == "MJPG 1920x1080@30");
}

TEST_CASE("the requested or nearest size is more important than a cheaper format") {
  const std::vector<Offer> offers = {offer("H264", PixelFormat::h264, {one(vga, {30})}),
                                     offer("MJPG", PixelFormat::mjpeg, {one(hd, {30}), one(full, {30})})};
  CHECK(chosen(offers, {.size = hd, .rate = 30}) == "MJPG 1280x720@30");
  const auto choice = choose(offers, {.size = {1300, 700}, .rate = 30});
  CHECK(text(choice, offers) == "MJPG 1280x720@30");
  CHECK_FALSE(choice->exact);
  CHECK(choice->reason.contains("nearest to the requested 1300x700"));
  CHECK(choice->passed_over.at(0).contains("640x480"));
}

TEST_CASE("sizes in steps: the nearest usable size is chosen") {
  const auto in_steps = [](Size min, Size max, Size step) {
    return std::vector<Offer>{offer("NV12", PixelFormat::nv12, {{min, max, step, {{1, 90}}}})};
  };
  CHECK(chosen(in_steps({32, 32}, {3280, 2464}, {2, 2}), {.size = hd, .rate = 25}) == "NV12 1280x720@25");
  CHECK(chosen(in_steps({32, 32}, {3280, 2464}, {1, 1}), {.size = hd}) == "NV12 1280x720@30");
  CHECK(chosen(in_steps({16, 16}, {8192, 8192}, {16, 16}), {.size = {1930, 1080}}) == "NV12 1936x1088@30");
  CHECK(chosen(in_steps({2, 1}, {640, 480}, {1, 1}), {.size = full}) == "NV12 640x480@30");
  CHECK(chosen(in_steps({31, 33}, {999, 999}, {1, 1}), {.size = {32, 32}}) == "NV12 32x34@30");
  CHECK(chosen(in_steps({33, 33}, {999, 999}, {2, 2}), {.size = {64, 64}}) == "not found");  // all sizes are odd
  CHECK(chosen(in_steps({8000, 8000}, {9000, 9000}, {2, 2}), {.size = full}) == "not found");
  CHECK(chosen(in_steps({640, 480}, {32, 32}, {2, 2}), {.size = full}) == "not found");
  CHECK(chosen(in_steps({640, 480}, {1280, 720}, {0, 0}), {.size = full}) == "not found");
}

TEST_CASE("rates are compared by ratio, 5 % count as equal, and unknown rates are accepted") {
  const auto rates = [](std::vector<double> r) {
    return std::vector<Offer>{offer("YUYV", PixelFormat::yuyv, {one(hd, std::move(r))})};
  };
  CHECK(chosen(rates({60, 25}), {.size = hd, .rate = 30}) == "YUYV 1280x720@25");
  CHECK(chosen(rates({60, 5}), {.size = hd, .rate = 30}) == "YUYV 1280x720@60");
  const auto ntsc = rates({30000.0 / 1001});
  CHECK(choose(ntsc, {.size = hd, .rate = 30})->exact);
  CHECK(chosen(rates({0}), {.size = hd, .rate = 30}) == "YUYV 1280x720@0");
  const auto silent = rates({});
  CHECK(choose(silent, {.size = hd, .rate = 30})->exact);
  CHECK(choose(silent, {.size = hd, .rate = 30})->rate == 0);
}

TEST_CASE("a configured format excludes all others") {
  const std::vector<Offer> offers = {offer("NV12", PixelFormat::nv12, {one(hd, {30})}),
                                     offer("NM12", PixelFormat::nv12, {one(hd, {30})})};
  CHECK(chosen(offers, {.size = hd, .rate = 30}) == "NV12 1280x720@30");  // the first of two equal offers
  CHECK(choose(offers, {.size = hd})->passed_over.at(0) == "NM12: not better than NV12");
  CHECK(chosen(offers, {.size = hd, .rate = 30, .fourcc = "NM12"}) == "NM12 1280x720@30");
  CHECK(chosen(offers, {.size = hd, .rate = 30, .fourcc = "YUYV"}) == "not found");
}

TEST_CASE("formats with colors are preferred to gray ones, and RGB to JPEG") {
  const std::vector<Offer> offers = {offer("GREY", PixelFormat::gray, {one(hd, {30})}),
                                     offer("MJPG", PixelFormat::mjpeg, {one(hd, {30})}),
                                     offer("RGB3", PixelFormat::rgb24, {one(hd, {30})})};
  CHECK(chosen(offers, {.size = hd, .rate = 30}) == "RGB3 1280x720@30");
  CHECK(chosen({offers[0], offers[1]}, {.size = hd, .rate = 30}) == "MJPG 1280x720@30");
  CHECK(chosen({offers[0]}, {.size = hd, .rate = 30}).starts_with("GREY"));
}
