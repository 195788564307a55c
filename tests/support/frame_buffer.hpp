// SPDX-License-Identifier: Apache-2.0
/// A frame buffer of libcamera over memory files.
#pragma once

#include <fcntl.h>
#include <libcamera/framebuffer.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace sealcam::test {

class MemoryBuffer {
 public:
  struct Plane {
    std::size_t file;  ///< index of the memory file
    unsigned offset, length;
  };

  /// Creates files that are large enough for the planes, up to 64 KiB each.
  explicit MemoryBuffer(const std::vector<Plane>& planes) {
    std::vector<::libcamera::FrameBuffer::Plane> library_planes;
    for (const Plane& p : planes) {
      while (files_.size() <= p.file) files_.emplace_back(::libcamera::SharedFD(::memfd_create("buffer", MFD_CLOEXEC)));
      const auto& file = files_[p.file];
      const off_t end = std::min<off_t>(static_cast<off_t>(p.offset) + p.length, 65'536);
      if (::lseek(file.get(), 0, SEEK_END) < end && ::ftruncate(file.get(), end) != 0) std::terminate();
      ::libcamera::FrameBuffer::Plane plane;
      plane.fd = file;
      plane.offset = p.offset;
      plane.length = p.length;
      library_planes.push_back(plane);
    }
    buffer_ = std::make_unique<::libcamera::FrameBuffer>(library_planes);
  }

  [[nodiscard]] const ::libcamera::FrameBuffer& buffer() const { return *buffer_; }
  /// The metadata that a pipeline fills in.
  [[nodiscard]] ::libcamera::FrameMetadata& metadata() {
    return const_cast<::libcamera::FrameMetadata&>(buffer_->metadata());
  }
  void mark(std::size_t file, off_t offset, unsigned char byte) {
    if (::pwrite(files_[file].get(), &byte, 1, offset) != 1) std::terminate();
  }

 private:
  std::vector<::libcamera::SharedFD> files_;
  std::unique_ptr<::libcamera::FrameBuffer> buffer_;
};

}  // namespace sealcam::test
