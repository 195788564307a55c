// SPDX-License-Identifier: Apache-2.0
/// A V4L2 driver in memory. A test scripts the results of its system calls.
#pragma once

#include <linux/videodev2.h>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "hal/v4l2/device.hpp"
#include "hal/v4l2/negotiate.hpp"

namespace sealcam::test {

/// The result of the next wait for a buffer, and of the VIDIOC_DQBUF after it.
struct V4l2Event {
  using Wait = hal::v4l2::V4l2Device::Wait;
  Wait wait = Wait::ready;  ///< after timeout and interrupted, no VIDIOC_DQBUF follows
  int error = 0;            ///< errno of VIDIOC_DQBUF; the buffer stays queued
  std::uint32_t step = 1;   ///< increment of the driver's sequence number
  std::uint32_t flags = 0;  ///< flags of the buffer, without those of the timestamp
  bool monotonic = true;
  std::optional<MonotonicTime> timestamp{};  ///< default: the clock's time
  std::optional<std::uint32_t> used{};       ///< bytesused of the first plane; default: its length
  std::uint32_t data_offset = 0;             ///< of the first plane, multi-planar only
  std::optional<Bytes> content{};            ///< of the first plane

  static V4l2Event fails(int error, Wait wait = Wait::ready) { return {.wait = wait, .error = error}; }
  static V4l2Event unit(Bytes bytes) { return {.content = std::move(bytes)}; }
};

struct V4l2FakeControl {
  std::uint32_t type = V4L2_CTRL_TYPE_INTEGER;
  std::int32_t min = 0, max = 1, step = 1, fallback = 0;
  std::uint32_t flags = 0;
  std::set<std::int32_t> items{};  ///< values of a menu
  std::int32_t value = 0;
};

/// The device. It must outlive its handles. Thread-bound.
class FakeV4l2 {
 public:
  explicit FakeV4l2(const Clock& clock) : clock_(clock) {}

  std::uint32_t capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
  bool has_input = true;
  bool enumerates_sizes = true;
  std::vector<hal::v4l2::Offer> offers;
  std::map<std::uint32_t, V4l2FakeControl> controls;
  std::deque<V4l2Event> script;  ///< if it is empty, each wait times out
  std::uint32_t sequence = 7;    ///< sequence number of the next picture
  std::uint32_t padding = 0;     ///< bytes at the end of each row
  std::size_t max_buffers = 32;
  std::map<unsigned long, std::deque<int>> errors;  ///< errno of the next calls, by request
  bool sets_rate = true;
  std::optional<hal::Size> forced_size;  ///< VIDIOC_S_FMT replaces each size with this one
  std::uint32_t field = V4L2_FIELD_NONE;
  hal::v4l2::ColorFields colors{};  ///< of each format

  // Results of the program's calls.
  int open_now = 0;
  bool streaming = false;
  std::vector<std::pair<std::uint32_t, std::int32_t>> written;  ///< controls that the program set
  std::deque<std::uint32_t> queued;
  int mapped = 0;
  v4l2_fract interval{1, 30};

  void add_pictures(int pictures) { script.insert(script.end(), static_cast<std::size_t>(pictures), V4l2Event{}); }
  /// Returns a function that opens this device for each path.
  [[nodiscard]] hal::v4l2::DeviceOpener opener();
  [[nodiscard]] std::unique_ptr<hal::v4l2::V4l2Device> open();

 private:
  class Handle;
  [[nodiscard]] bool multi_planar() const { return (capabilities & V4L2_CAP_VIDEO_CAPTURE_MPLANE) != 0; }
  [[nodiscard]] const hal::v4l2::Offer* offer(std::uint32_t fourcc) const;
  int control(unsigned long request, void* argument);
  int enum_format(v4l2_fmtdesc& e) const;
  int enum_sizes(v4l2_frmsizeenum& e) const;
  int enum_rates(v4l2_frmivalenum& e) const;
  int set_format(v4l2_format& f);
  int query_control(v4l2_queryctrl& q) const;
  int set_control(const v4l2_control& c);
  int request_buffers(v4l2_requestbuffers& r);
  int query_buffer(v4l2_buffer& b) const;
  int dequeue(v4l2_buffer& b);
  void lay_out(std::uint32_t fourcc, hal::Size size);

  const Clock& clock_;
  std::uint32_t fourcc_ = 0;
  hal::Size size_;
  std::vector<std::uint32_t> strides_, lengths_;  // of each memory plane
  std::vector<std::vector<Bytes>> buffers_;       // by index and plane
};

}  // namespace sealcam::test
