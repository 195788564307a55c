// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/stream.hpp"

#include <linux/videodev2.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sealcam::hal::v4l2 {

namespace {

/// A v4l2_buffer and its planes.
struct Descriptor {
  v4l2_buffer buffer{};
  std::array<v4l2_plane, VIDEO_MAX_PLANES> planes{};

  Descriptor(std::uint32_t type, bool multi_planar, std::uint32_t index = 0) {
    buffer.type = type;
    buffer.memory = V4L2_MEMORY_MMAP;
    buffer.index = index;
    if (!multi_planar) return;
    buffer.m.planes = planes.data();
    buffer.length = static_cast<std::uint32_t>(planes.size());
  }
};

std::optional<MonotonicTime> timestamp_of(const v4l2_buffer& b) noexcept {
  if ((b.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) != V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) return std::nullopt;
  // More seconds would overflow the nanoseconds.
  constexpr std::int64_t max_seconds = 9'000'000'000;
  const std::int64_t seconds = b.timestamp.tv_sec;
  if (seconds < 0 || seconds > max_seconds) return MonotonicTime{std::chrono::seconds(max_seconds)};
  return MonotonicTime{std::chrono::seconds(seconds) + std::chrono::microseconds(b.timestamp.tv_usec)};
}

std::uint32_t buffers_for_driver(V4l2Device& device) {
  v4l2_control control{.id = V4L2_CID_MIN_BUFFERS_FOR_CAPTURE, .value = 0};
  if (request(device, VIDIOC_G_CTRL, &control) != 0) return 0;
  return static_cast<std::uint32_t>(std::clamp(control.value, 0, 16));
}

}  // namespace

Stream::Stream(V4l2Device& device, bool multi_planar, std::size_t planes)
    : device_(&device),
      type_(multi_planar ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE),
      multi_planar_(multi_planar),
      planes_(planes) {}

Stream::Stream(Stream&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      type_(other.type_),
      multi_planar_(other.multi_planar_),
      planes_(other.planes_),
      buffers_(std::move(other.buffers_)) {}

Stream::~Stream() {
  if (device_ != nullptr) end();
}

Result<Stream> Stream::start(V4l2Device& device, bool multi_planar, std::size_t planes, std::uint32_t buffers) {
  SC_ASSERT(planes >= 1 && planes <= max_planes);
  Stream stream(device, multi_planar, planes);
  // Two for leased pictures, in addition to the buffers that the driver keeps.
  const auto begun = stream.request_buffers(std::max(buffers, buffers_for_driver(device) + 2)).and_then([&] {
    return stream.begin();
  });
  if (!begun) return std::unexpected(begun.error());
  return stream;
}

Result<> Stream::request_buffers(std::uint32_t count) {
  v4l2_requestbuffers requested{};
  requested.count = std::min(count, std::uint32_t{VIDEO_MAX_FRAME});
  requested.type = type_;
  requested.memory = V4L2_MEMORY_MMAP;
  if (const int native = request(*device_, VIDIOC_REQBUFS, &requested); native != 0)
    return fail(to_errc(native), native == EBUSY ? "another program uses this device" : "requesting buffers", native);
  if (requested.count < 3 || requested.count > VIDEO_MAX_FRAME)
    return fail(Errc::unsupported, "the driver has fewer than 3 buffers");
  buffers_.reserve(requested.count);
  for (std::uint32_t i = 0; i < requested.count; ++i) {
    if (auto r = map(i); !r) return r;
  }
  return {};
}

Result<> Stream::map(std::uint32_t index) {
  Descriptor d(type_, multi_planar_, index);
  if (const int native = request(*device_, VIDIOC_QUERYBUF, &d.buffer); native != 0)
    return fail(to_errc(native), "querying a buffer", native);
  if (multi_planar_ && d.buffer.length != planes_) return fail(Errc::unsupported, "planes of a buffer");
  buffers_.emplace_back();
  for (std::size_t i = 0; i < planes_; ++i) {
    const std::size_t length = multi_planar_ ? d.planes[i].length : d.buffer.length;
    const std::uint32_t offset = multi_planar_ ? d.planes[i].m.mem_offset : d.buffer.m.offset;
    const std::byte* start = length == 0 ? nullptr : device_->map(length, offset);
    if (start == nullptr) return fail(Errc::no_memory, "mapping a buffer");
    buffers_.back()[i] = {start, length};
  }
  return {};
}

Result<> Stream::begin() {
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (!queue(i)) return fail(Errc::device_lost, "the driver rejects its buffers");
  }
  std::uint32_t type = type_;
  const int native = request(*device_, VIDIOC_STREAMON, &type);
  // No disk is full: uvcvideo could not reserve the bandwidth of this format.
  if (native == ENOSPC)
    return fail(Errc::exhausted,
                "the USB bus has no bandwidth left for the camera; connect it to another USB controller, or set a "
                "smaller /source/size");
  if (native != 0)
    return fail(to_errc(native), native == EBUSY ? "another program uses this device" : "starting to stream", native);
  return {};
}

void Stream::end() noexcept {
  std::uint32_t type = type_;
  (void)request(*device_, VIDIOC_STREAMOFF, &type);  // fails if the device is unplugged, which needs no action
  for (const Buffer& buffer : buffers_) {
    for (const Mapped& plane : buffer) {
      if (plane.start != nullptr) device_->unmap(plane.start, plane.length);
    }
  }
  v4l2_requestbuffers none{};
  none.type = type_;
  none.memory = V4L2_MEMORY_MMAP;
  (void)request(*device_, VIDIOC_REQBUFS, &none);
}

bool Stream::queue(std::uint32_t buffer) noexcept {
  Descriptor d(type_, multi_planar_, buffer);
  if (multi_planar_) d.buffer.length = static_cast<std::uint32_t>(planes_);
  return request(*device_, VIDIOC_QBUF, &d.buffer) == 0;
}

Result<Filled> Stream::fetch() {
  Descriptor d(type_, multi_planar_);
  const int native = request(*device_, VIDIOC_DQBUF, &d.buffer);
  if (native == EAGAIN) return fail(Errc::timeout, "waiting for a picture");
  if (native != 0) return fail(Errc::device_lost, "fetching a picture", native);
  if (d.buffer.index >= buffers_.size()) return fail(Errc::device_lost, "the driver returned an unknown buffer");
  Filled filled;
  filled.buffer = d.buffer.index;
  filled.sequence = d.buffer.sequence;
  filled.damaged = (d.buffer.flags & V4L2_BUF_FLAG_ERROR) != 0;
  filled.timestamp = timestamp_of(d.buffer);
  for (std::size_t i = 0; i < planes_; ++i) {
    const Mapped& mapped = buffers_[filled.buffer][i];
    const std::size_t used = multi_planar_ ? d.planes[i].bytesused : d.buffer.bytesused;
    const std::size_t skip = multi_planar_ ? d.planes[i].data_offset : 0;  // counted in bytesused
    if (used <= mapped.length && skip <= used) filled.memory[i] = {mapped.start + skip, used - skip};
  }
  return filled;
}

}  // namespace sealcam::hal::v4l2
