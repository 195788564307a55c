// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/negotiate.hpp"

#include <libcamera/formats.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <tuple>

#include "base/format.hpp"

namespace sealcam::hal::libcamera {

namespace {

/// Length, stride and rows of one plane of a picture.
struct Part {
  std::size_t stride = 0, rows = 0;
  [[nodiscard]] std::size_t length() const { return stride * rows; }
};

std::vector<Part> parts_of(const Layout& layout) {
  const auto rows = static_cast<std::size_t>(layout.size.height);
  switch (layout.format) {
    case PixelFormat::nv12: return {{layout.stride, rows}, {layout.stride, rows / 2}};
    case PixelFormat::yu12:
      return {{layout.stride, rows}, {layout.stride / 2, rows / 2}, {layout.stride / 2, rows / 2}};
    default: break;
  }
  if (packed_bytes(layout.format) > 0) return {{layout.stride, rows}};
  return {};
}

}  // namespace

Result<MappedBuffer> MappedBuffer::map(const lib::FrameBuffer& buffer, const Layout& layout) {
  MappedBuffer mapped(layout);
  if (auto r = mapped.map_planes(buffer); !r) return std::unexpected(r.error());
  if (auto r = mapped.lay_out(); !r) return std::unexpected(r.error());
  return mapped;
}

MappedBuffer::~MappedBuffer() {
  for (const Mapping& m : mappings_) ::munmap(const_cast<std::byte*>(m.start), m.length);
}

Result<> MappedBuffer::map_planes(const lib::FrameBuffer& buffer) {
  for (const auto& plane : buffer.planes()) {
    const int fd = plane.fd.get();
    if (fd < 0) return fail(Errc::unsupported, "a plane of a libcamera buffer has no memory");
    auto mapping = std::ranges::find(mappings_, fd, &Mapping::fd);
    if (mapping == mappings_.end()) {
      const auto length = ::lseek(fd, 0, SEEK_END);
      if (length <= 0) return fail(Errc::unsupported, "cannot read the size of a libcamera buffer", errno);
      void* const start = ::mmap(nullptr, static_cast<std::size_t>(length), PROT_READ, MAP_SHARED, fd, 0);
      if (start == MAP_FAILED) return fail(Errc::no_memory, "mapping a buffer of libcamera", errno);
      mapping = mappings_.insert(mappings_.end(),
                                 {fd, static_cast<const std::byte*>(start), static_cast<std::size_t>(length)});
    }
    const std::size_t offset = plane.offset == lib::FrameBuffer::Plane::kInvalidOffset ? 0 : plane.offset;
    if (offset > mapping->length || plane.length > mapping->length - offset)
      return fail(Errc::unsupported, "a plane of a libcamera buffer is outside of its memory");
    memory_.emplace_back(mapping->start + offset, plane.length);
  }
  if (memory_.empty()) return fail(Errc::unsupported, "a libcamera buffer has no planes");
  return {};
}

/// Each part of the picture has its own plane, or all parts follow each other in the first plane.
Result<> MappedBuffer::lay_out() {
  const auto parts = parts_of(layout_);
  if (parts.empty()) {  // compressed
    planes_[0] = {memory_[0].data(), memory_[0].size()};
    return {};
  }
  // Pipelines may add planes without bytes.
  const auto filled = static_cast<std::size_t>(std::ranges::count_if(memory_, [](ByteView m) { return !m.empty(); }));
  const bool apart = parts.size() > 1 && filled >= parts.size();
  std::size_t offset = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const ByteView memory = apart ? memory_[i] : memory_[0];
    const std::size_t start = apart ? 0 : offset;
    if (start + parts[i].length() > memory.size())
      return fail(Errc::unsupported, "a libcamera buffer is too small for its picture");
    planes_[i] = {memory.data() + start, parts[i].stride};
    offset += parts[i].length();
    if (apart) needed_.push_back(parts[i].length());
  }
  if (!apart) needed_.push_back(offset);
  return {};
}

std::array<Plane, 3> MappedBuffer::planes(std::size_t used) const noexcept {
  auto planes = planes_;
  if (needed_.empty()) planes[0].stride = std::min(used, memory_[0].size());
  return planes;
}

void MappedBuffer::synchronize(bool begin) const noexcept {
  dma_buf_sync sync{};
  sync.flags = DMA_BUF_SYNC_READ | (begin ? DMA_BUF_SYNC_START : DMA_BUF_SYNC_END);
  for (const Mapping& m : mappings_) {
    // The call fails for memory that is not a DMA buffer or needs no synchronization. This is not an error.
    while (::ioctl(m.fd, DMA_BUF_IOCTL_SYNC, &sync) != 0 && errno == EINTR) {
    }
  }
}

namespace {

struct Known {
  lib::PixelFormat theirs;
  std::string_view fourcc;
  PixelFormat ours;
  int cost;
  std::string_view description;
};

// Best first.
constexpr std::array known = {
    Known{lib::formats::NV12, "NV12", PixelFormat::nv12, 1, "needs no conversion"},
    Known{lib::formats::YUV420, "YU12", PixelFormat::yu12, 1, "needs no conversion"},
    Known{lib::formats::YUYV, "YUYV", PixelFormat::yuyv, 2, "must be converted"},
    Known{lib::formats::UYVY, "UYVY", PixelFormat::uyvy, 2, "must be converted"},
    Known{lib::formats::MJPEG, "MJPG", PixelFormat::mjpeg, 3, "must be decoded and converted"},
};
constexpr std::array<std::string_view, known.size()> names = [] {
  std::array<std::string_view, known.size()> all;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = known[i].fourcc;
  return all;
}();

// The default of hal::Colors, which needs no further conversion.
constexpr lib::ColorSpace requested_colors(lib::ColorSpace::Primaries::Rec709, lib::ColorSpace::TransferFunction::Srgb,
                                           lib::ColorSpace::YcbcrEncoding::Rec601, lib::ColorSpace::Range::Limited);

/// The numbers are code points of ITU-T H.273.
Colors to_colors(const std::optional<lib::ColorSpace>& space) noexcept {
  Colors colors;
  if (!space) return colors;
  if (space->primaries == lib::ColorSpace::Primaries::Smpte170m) colors.primaries = 6;
  if (space->primaries == lib::ColorSpace::Primaries::Rec2020) colors.primaries = 9;
  if (space->transferFunction == lib::ColorSpace::TransferFunction::Srgb) colors.transfer = 13;
  if (space->transferFunction == lib::ColorSpace::TransferFunction::Linear) colors.transfer = 8;
  if (space->ycbcrEncoding == lib::ColorSpace::YcbcrEncoding::Rec709) colors.matrix = Colors::bt709;
  if (space->ycbcrEncoding == lib::ColorSpace::YcbcrEncoding::Rec2020) colors.matrix = Colors::bt2020;
  colors.full_range = space->range == lib::ColorSpace::Range::Full;
  return colors;
}

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

/// The camera's adjustment of one format.
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
  stream.colorSpace = requested_colors;
  tried.configuration->orientation = orientation;
  const auto status = tried.configuration->validate();
  tried.size = size_of(stream.size);
  tried.distance = std::abs(tried.size.width - config.size.width) + std::abs(tried.size.height - config.size.height);
  if (status == lib::CameraConfiguration::Invalid || stream.pixelFormat != format.theirs) tried.why_not = "not offered";
  else if (!is_valid(tried.size)) tried.why_not = sealcam::format("{}x{}", tried.size.width, tried.size.height);
  else if (tried.configuration->orientation != orientation) tried.why_not = "cannot flip as requested";
  return tried;
}

std::string why_not(const Tried& other, const Tried& best) {
  if (!other.why_not.empty()) return sealcam::format("{}: {}", other.format->fourcc, other.why_not);
  if (other.distance > best.distance)
    return sealcam::format("{}: nearest size {}x{}", other.format->fourcc, other.size.width, other.size.height);
  if (other.format->cost > best.format->cost)
    return sealcam::format("{}: {}, {} {}", other.format->fourcc, other.format->description, best.format->fourcc,
                           best.format->description);
  return sealcam::format("{}: not better than {}", other.format->fourcc, best.format->fourcc);
}

std::string why(const Tried& best, const LibcameraConfig& config) {
  std::string text =
      sealcam::format("{} {}x{}: {}", best.format->fourcc, best.size.width, best.size.height, best.format->description);
  if (best.distance > 0)
    text += sealcam::format("; nearest to the requested {}x{}", config.size.width, config.size.height);
  const auto& space = best.configuration->at(0).colorSpace;
  if (space && *space != requested_colors) text += sealcam::format("; colors are {}", space->toString());
  return text;
}

}  // namespace

Result<Agreed> negotiate(lib::Camera& camera, const LibcameraConfig& config, lib::Orientation orientation) {
  std::vector<Tried> tries;
  const Tried* best = nullptr;
  bool best_avoided = false;
  tries.reserve(known.size());
  for (const Known& format : known) {
    if (!config.format.empty() && format.fourcc != config.format) continue;
    Tried& tried = tries.emplace_back(attempt(camera, format, config, orientation));
    if (!tried.why_not.empty()) continue;
    const bool avoided = config.format.empty() && std::ranges::contains(config.unusable, id_of(camera, format.fourcc));
    if (best != nullptr && (best_avoided != avoided ? avoided : !worse(*best, tried))) continue;
    best = &tried;
    best_avoided = avoided;
  }
  if (best == nullptr) {
    const bool turned = std::ranges::any_of(
        tries, [&](const Tried& t) { return t.configuration && t.configuration->orientation != orientation; });
    return fail(Errc::unsupported,
                turned ? "the camera cannot flip its pictures" : "the camera offers no usable format");
  }
  Agreed agreed;
  for (const Tried& tried : tries) {
    if (&tried != best) agreed.passed_over.push_back(why_not(tried, *best));
  }
  agreed.reason = why(*best, config);
  agreed.exact = best->distance == 0;
  agreed.fourcc = best->format->fourcc;
  agreed.layout = {best->format->ours, best->size, 0};
  agreed.colors = to_colors(best->configuration->at(0).colorSpace);
  agreed.configuration = std::move(tries[static_cast<std::size_t>(best - tries.data())].configuration);
  return agreed;
}

std::string id_of(const lib::Camera& camera, std::string_view fourcc) {
  return sealcam::format("{}: {}", camera.id(), fourcc);
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
