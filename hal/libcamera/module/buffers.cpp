// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/buffers.hpp"

#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

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
      if (start == MAP_FAILED) return fail(Errc::no_memory, "mapping a buffer of libcamera's", errno);
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

}  // namespace sealcam::hal::libcamera
