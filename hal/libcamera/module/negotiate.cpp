// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/negotiate.hpp"

#include <libcamera/formats.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <format>
#include <optional>
#include <tuple>

namespace sealcam::hal::libcamera {

namespace {

struct Known {
  lib::PixelFormat theirs;
  std::string_view fourcc;
  PixelFormat ours;
  int cost;
  std::string_view in_words;
};

// Best first.
constexpr std::array known = {
    Known{lib::formats::NV12, "NV12", PixelFormat::nv12, 1, "goes into an encoder as it is"},
    Known{lib::formats::YUV420, "YU12", PixelFormat::yu12, 1, "goes into an encoder as it is"},
    Known{lib::formats::YUYV, "YUYV", PixelFormat::yuyv, 2, "must be converted"},
    Known{lib::formats::MJPEG, "MJPG", PixelFormat::mjpeg, 3, "must be decoded and converted"},
};
constexpr std::array<std::string_view, known.size()> names = {known[0].fourcc, known[1].fourcc, known[2].fourcc,
                                                              known[3].fourcc};

// What a Picture is (picture.hpp).
constexpr lib::ColorSpace colours(lib::ColorSpace::Primaries::Rec709, lib::ColorSpace::TransferFunction::Srgb,
                                  lib::ColorSpace::YcbcrEncoding::Rec601, lib::ColorSpace::Range::Limited);

Size size_of(const lib::Size& size) { return {static_cast<int>(size.width), static_cast<int>(size.height)}; }

std::string text_of(lib::PixelFormat format) {
  std::string text;
  for (unsigned shift = 0; shift < 32; shift += 8) text += static_cast<char>((format.fourcc() >> shift) & 0x7F);
  return text;
}

std::unique_ptr<lib::CameraConfiguration> for_video(lib::Camera& camera) {
  auto configuration = camera.generateConfiguration({lib::StreamRole::VideoRecording});
  return configuration && configuration->size() == 1 ? std::move(configuration) : nullptr;
}

struct Tried {
  const Known* format = nullptr;
  std::unique_ptr<lib::CameraConfiguration> configuration;
  Size size;
  int distance = 0;
  std::string why_not;
};

bool worse(const Tried& a, const Tried& b) {
  return std::tie(a.distance, a.format->cost) > std::tie(b.distance, b.format->cost);
}

/// What the camera makes of one format.
Tried attempt(lib::Camera& camera, const Known& format, const LibcameraConfig& config, lib::Orientation orientation) {
  Tried tried{.format = &format, .configuration = for_video(camera), .size = {}, .distance = 0, .why_not = {}};
  if (!tried.configuration) {
    tried.why_not = "the camera has no video stream";
    return tried;
  }
  auto& stream = tried.configuration->at(0);
  stream.pixelFormat = format.theirs;
  stream.size = {static_cast<unsigned>(config.size.width), static_cast<unsigned>(config.size.height)};
  stream.bufferCount = std::max({stream.bufferCount, config.buffers, 4U});
  stream.colorSpace = colours;
  tried.configuration->orientation = orientation;
  const auto status = tried.configuration->validate();
  tried.size = size_of(stream.size);
  tried.distance = std::abs(tried.size.width - config.size.width) + std::abs(tried.size.height - config.size.height);
  if (status == lib::CameraConfiguration::Invalid || stream.pixelFormat != format.theirs) tried.why_not = "not offered";
  else if (!is_valid(tried.size)) tried.why_not = std::format("{}x{}", tried.size.width, tried.size.height);
  else if (tried.configuration->orientation != orientation) tried.why_not = "not turned as it should be";
  return tried;
}

std::string why_not(const Tried& other, const Tried& best) {
  if (!other.why_not.empty()) return std::format("{}: {}", other.format->fourcc, other.why_not);
  if (other.distance > best.distance)
    return std::format("{}: nearest size {}x{}", other.format->fourcc, other.size.width, other.size.height);
  if (other.format->cost > best.format->cost)
    return std::format("{}: {}, {} {}", other.format->fourcc, other.format->in_words, best.format->fourcc,
                       best.format->in_words);
  return std::format("{}: no better than {}", other.format->fourcc, best.format->fourcc);
}

std::string why(const Tried& best, const LibcameraConfig& config) {
  std::string text =
      std::format("{} {}x{}: {}", best.format->fourcc, best.size.width, best.size.height, best.format->in_words);
  if (best.distance > 0) text += std::format("; nearest to the wanted {}x{}", config.size.width, config.size.height);
  const auto& space = best.configuration->at(0).colorSpace;
  if (space && *space != colours) text += std::format("; colours are {}", space->toString());
  return text;
}

}  // namespace

Result<Agreed> negotiate(lib::Camera& camera, const LibcameraConfig& config, lib::Orientation orientation) {
  std::vector<Tried> tries;
  const Tried* best = nullptr;
  tries.reserve(known.size());
  for (const Known& format : known) {
    if (!config.format.empty() && format.fourcc != config.format) continue;
    Tried& tried = tries.emplace_back(attempt(camera, format, config, orientation));
    if (tried.why_not.empty() && (best == nullptr || worse(*best, tried))) best = &tried;
  }
  if (best == nullptr) {
    const bool turned = std::ranges::any_of(
        tries, [&](const Tried& t) { return t.configuration && t.configuration->orientation != orientation; });
    return fail(Errc::unsupported,
                turned ? "this camera does not flip its pictures" : "this camera offers no format that can be used");
  }
  Agreed agreed;
  for (const Tried& tried : tries) {
    if (&tried != best) agreed.passed_over.push_back(why_not(tried, *best));
  }
  agreed.reason = why(*best, config);
  agreed.exact = best->distance == 0;
  agreed.fourcc = best->format->fourcc;
  agreed.layout = {best->format->ours, best->size, 0};
  agreed.configuration = std::move(tries[static_cast<std::size_t>(best - tries.data())].configuration);
  return agreed;
}

lib::Orientation orientation_of(bool hflip, bool vflip) noexcept {
  if (hflip && vflip) return lib::Orientation::Rotate180;
  if (hflip) return lib::Orientation::Rotate0Mirror;
  return vflip ? lib::Orientation::Rotate180Mirror : lib::Orientation::Rotate0;
}

bool can_flip(lib::Camera& camera) {
  const auto configuration = for_video(camera);
  if (!configuration) return false;
  configuration->orientation = lib::Orientation::Rotate180;
  return configuration->validate() != lib::CameraConfiguration::Invalid &&
         configuration->orientation == lib::Orientation::Rotate180;
}

std::span<const std::string_view> known_formats() noexcept { return names; }

std::vector<OfferedFormat> offered_formats(lib::Camera& camera) {
  std::vector<OfferedFormat> offers;
  const auto configuration = for_video(camera);
  if (!configuration) return offers;
  const auto& formats = configuration->at(0).formats();
  for (const auto& format : formats.pixelformats()) {
    const auto range = formats.range(format);
    offers.push_back({text_of(format), std::ranges::contains(known, format, &Known::theirs), size_of(range.min),
                      size_of(range.max)});
  }
  return offers;
}

}  // namespace sealcam::hal::libcamera
